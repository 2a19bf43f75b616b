"""Metrics of a classification against scikit-learn, and their intervals against what is known of them."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from modules.metrics.classification import classification, confusion_matrix, f1_of
from modules.metrics.intervals import wilson
from modules.metrics.unit_bootstrap import Draws


def drawn(seed: int = 0, count: int = 400, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Labels of unequal frequency and predictions that are right in six of ten images."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(classes, count, p=np.array([8, 4, 2, 1]) / 15)
    return truth, np.where(generator.random(count) < 0.6, truth, generator.integers(0, classes, count))


def test_all_values_are_scikit_learns() -> None:
    truth, predicted = drawn()
    found = classification(truth, predicted, 4)
    report = sklearn.classification_report(truth, predicted, output_dict=True)
    for k, one in enumerate(found["classes"]):
        wanted = report[str(k)]
        for key, name in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert one[key]["value"] == pytest.approx(wanted[name], abs=1e-12), (k, key)
        assert one["support"] == wanted["support"]
        assert one["predicted"] == (predicted == k).sum()
    assert found["accuracy"]["value"] == pytest.approx(report["accuracy"])
    assert found["macro_f1"]["value"] == pytest.approx(report["macro avg"]["f1-score"])
    assert found["balanced_accuracy"]["value"] == pytest.approx(sklearn.balanced_accuracy_score(truth, predicted))
    assert found["confusion"] == sklearn.confusion_matrix(truth, predicted).tolist()


def test_classes_that_are_absent_have_no_value_and_no_part_in_means() -> None:
    """Class 2 is predicted once and never true; class 3 neither."""
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2])
    found = classification(truth, predicted, 4)
    two, three = found["classes"][2], found["classes"][3]
    assert (two["recall"]["value"], two["precision"]["value"], two["f1"]["value"]) == (None, 0.0, 0.0)
    assert two["recall"]["reason"] == "no image has it"
    assert three["precision"]["reason"] == "never predicted"
    assert three["f1"]["value"] is None
    assert found["balanced_accuracy"]["value"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    report = sklearn.classification_report(truth, predicted, output_dict=True, zero_division=0)
    assert found["macro_f1"]["value"] == pytest.approx(report["macro avg"]["f1-score"])


def test_off_by_one_counts_the_true_class_and_its_neighbors() -> None:
    truth, predicted = np.array([0, 1, 2, 3, 3]), np.array([0, 2, 0, 2, 0])
    assert "off_by_one" not in classification(truth, predicted, 4)
    assert classification(truth, predicted, 4, ordered=True)["off_by_one"]["value"] == pytest.approx(3 / 5)


def test_intervals_of_independent_images_are_wilsons() -> None:
    truth, predicted = drawn()
    found = classification(truth, predicted, 4)
    hits = int((truth == predicted).sum())
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == pytest.approx(wilson(hits, len(truth)))
    rare = found["classes"][3]
    counts = confusion_matrix(truth, predicted, 4)
    assert (rare["recall"]["low"], rare["recall"]["high"]) == pytest.approx(wilson(counts[3, 3], counts[3].sum()))
    union = counts[3].sum() + counts[:, 3].sum() - counts[3, 3]
    low, high = wilson(counts[3, 3], union)
    assert (rare["f1"]["low"], rare["f1"]["high"]) == pytest.approx((f1_of(low), f1_of(high)))


@pytest.mark.parametrize("subjects", [None, np.arange(12) // 2, np.zeros(12, int)])
@pytest.mark.parametrize("right", [True, False])
def test_no_interval_is_empty_where_all_or_none_are_right(subjects: np.ndarray | None, right: bool) -> None:
    truth = np.arange(12) % 3
    predicted = truth if right else (truth + 1) % 3
    found = classification(truth, predicted, 3, Draws(subjects, 100), ordered=True)
    entries = [found[key] for key in ("accuracy", "balanced_accuracy", "macro_f1")]
    entries += [one[key] for one in found["classes"] for key in ("recall", "precision", "f1")]
    for one in entries:
        assert one["value"] == (1.0 if right else 0.0)
        assert one["low"] <= one["value"] <= one["high"]
        assert one["high"] - one["low"] > 0.05


def test_images_of_one_subject_count_less_than_independent_ones() -> None:
    """Ten images each of 40 subjects, all right or all wrong: as many as 40 images."""
    generator = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 10)
    right = np.repeat(generator.random(40) < 0.7, 10)
    truth = np.zeros(400, int)
    together = classification(truth, np.where(right, 0, 1), 2, Draws(subjects))["accuracy"]
    alone = classification(truth, np.where(right, 0, 1), 2)["accuracy"]
    low, high = wilson(right.sum() / 10, 40)
    assert together["high"] - together["low"] == pytest.approx(high - low, rel=0.15)
    assert together["high"] - together["low"] > 2.5 * (alone["high"] - alone["low"])


def test_the_intervals_of_means_hold_the_truth_in_about_95_percent_of_samples() -> None:
    """Recalls 0.9, 0.6 and 0.3 with 60, 30 and 12 images."""
    generator = np.random.default_rng(0)
    recalls = np.array([0.9, 0.6, 0.3])
    truth = np.repeat([0, 1, 2], [60, 30, 12])
    held = 0
    for _ in range(200):
        right = generator.random(len(truth)) < recalls[truth]
        found = classification(truth, np.where(right, truth, (truth + 1) % 3), 3, Draws(resamples=100))["balanced_accuracy"]
        held += found["low"] <= recalls.mean() <= found["high"]
    assert 0.90 <= held / 200 <= 0.99


def test_subjects_of_one_image_each_are_independent_images() -> None:
    truth, predicted = drawn(count=600)
    alone, single = classification(truth, predicted, 4), classification(truth, predicted, 4, Draws(np.arange(600)))
    for one, other in zip(alone["classes"], single["classes"], strict=True):
        for key in ("recall", "precision", "f1"):
            wanted, found = (entry[key]["high"] - entry[key]["low"] for entry in (one, other))
            assert found == pytest.approx(wanted, rel=0.15), key
