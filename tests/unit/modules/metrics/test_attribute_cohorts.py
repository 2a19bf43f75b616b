"""Metrics of cohorts against scikit-learn on subsets, differences against a naive bootstrap, size and power by simulation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn

from modules.metrics.absolute_error import absolute_error
from modules.metrics.attribute_cohorts import compare_cohorts, of_classes, of_numbers
from modules.metrics.calibration import calibration
from modules.metrics.classification import classification
from modules.metrics.unit_bootstrap import Draws

NAMES = ["A", "B", "C", "D"]
DRAWS = Draws(resamples=200, seed=3)


def drawn(seed: int = 0, count: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels of three classes, probabilities, and cohorts, of every seventh image unknown."""
    generator = np.random.default_rng(seed)
    truth, probabilities = generator.integers(0, 3, count), generator.dirichlet([1.0, 1.0, 1.0], count)
    probabilities[np.arange(count), truth] += 0.5
    cohorts = np.where(np.arange(count) % 7 == 0, -1, generator.choice(4, count, p=[0.4, 0.3, 0.2, 0.1]))
    return truth, probabilities / 1.5, cohorts


def compared(subjects: np.ndarray | None = None) -> dict[Any, Any]:
    truth, probabilities, cohorts = drawn()
    attribute = of_classes(truth, probabilities, replace(DRAWS, subjects=subjects), ordered=True, bins=5)
    return compare_cohorts(attribute, cohorts, NAMES)


def test_values_are_scikit_learns_on_each_subset_and_intervals_those_of_the_subset_alone() -> None:
    truth, probabilities, cohorts = drawn()
    predicted, found = probabilities.argmax(1), compared()
    assert found["unknown"] == (cohorts == -1).sum()
    assert found["images"] == {name: (cohorts == k).sum() for k, name in enumerate(NAMES)}
    for number, name in enumerate(NAMES):
        mine = cohorts == number
        report = sklearn.classification_report(truth[mine], predicted[mine], output_dict=True)
        value = {key: one["cohorts"][name]["value"] for key, one in found["metrics"].items()}
        assert value["accuracy", -1] == pytest.approx(report["accuracy"])
        assert value["balanced_accuracy", -1] == pytest.approx(sklearn.balanced_accuracy_score(truth[mine], predicted[mine]))
        assert value["macro_f1", -1] == pytest.approx(report["macro avg"]["f1-score"])
        assert value["off_by_one", -1] == pytest.approx((abs(truth - predicted)[mine] <= 1).mean())
        for k in range(3):
            for key, word in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                assert value[key, k] == pytest.approx(report[str(k)][word])
        alone = classification(truth[mine], predicted[mine], 3, DRAWS, ordered=True)
        assert found["metrics"]["macro_f1", -1]["cohorts"][name] == alone["macro_f1"]
        confident = calibration(probabilities[mine].max(1), (truth == predicted)[mine], 5, DRAWS)
        assert found["metrics"]["ece", -1]["cohorts"][name] == confident["ece"]


@pytest.mark.parametrize("subjects", [None, np.arange(400) // 4])
def test_differences_are_from_the_rest_of_the_images_and_the_gap_is_largest_less_smallest(subjects: Any) -> None:
    truth, probabilities, cohorts = drawn()
    predicted, found = probabilities.argmax(1), compared(subjects)["metrics"]
    values = []
    for number, name in enumerate(NAMES):
        mine, rest = cohorts == number, (cohorts != number) & (cohorts >= 0)
        values.append(sklearn.balanced_accuracy_score(truth[mine], predicted[mine]))
        against = found["balanced_accuracy", -1]["differences"][name]
        assert against["value"] == pytest.approx(values[-1] - sklearn.balanced_accuracy_score(truth[rest], predicted[rest]))
        assert against["low"] < against["value"] < against["high"]
    widest = found["balanced_accuracy", -1]["gap"]
    assert widest["value"] == pytest.approx(max(values) - min(values))
    assert (widest["highest"], widest["lowest"]) == (NAMES[np.argmax(values)], NAMES[np.argmin(values)])
    assert 0 <= widest["low"] <= widest["value"] <= widest["high"]


def test_resamples_are_of_all_compared_images_together() -> None:
    """Draws subjects one by one, and takes means of the absolute errors of each cohort; subjects are in several cohorts."""
    generator = np.random.default_rng(4)
    truth, subjects, cohorts = generator.uniform(20, 60, 90), np.arange(90) // 3, generator.integers(0, 2, 90)
    predicted = truth + generator.normal(0, 5, 90) + 8 * generator.normal(0, 1, 30)[subjects]
    attribute = of_numbers(truth, predicted, Draws(subjects, 4000), tolerance=5)
    found = compare_cohorts(attribute, cohorts, ["A", "B"])["metrics"]["mae", -1]
    errors, gaps = abs(truth - predicted), []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(subjects == one) for one in generator.integers(0, 30, 30)])
        gaps.append(errors[rows][cohorts[rows] == 0].mean() - errors[rows][cohorts[rows] == 1].mean())
    value = errors[cohorts == 0].mean() - errors[cohorts == 1].mean()
    one, other = found["differences"]["A"], found["differences"]["B"]
    assert one["value"] == pytest.approx(value)
    assert one["high"] - one["low"] == pytest.approx(2 * np.quantile(abs(np.array(gaps) - value), 0.95), rel=0.12)
    assert (one["low"], one["high"]) == (-other["high"], -other["low"])


def test_numbers_have_the_metrics_of_each_subset() -> None:
    generator = np.random.default_rng(5)
    truth, cohorts = generator.uniform(20, 60, 200), np.arange(200) % 4
    predicted = truth + generator.normal(0, 4, 200)
    found = compare_cohorts(of_numbers(truth, predicted, DRAWS, tolerance=3), cohorts, NAMES)["metrics"]
    assert set(found) == {("mae", -1), ("cumulative_score", -1)}
    for number, name in enumerate(NAMES):
        mine = cohorts == number
        assert found["mae", -1]["cohorts"][name]["value"] == pytest.approx(abs(truth - predicted)[mine].mean())
        assert found["mae", -1]["cohorts"][name] == absolute_error(truth[mine], predicted[mine], 3, DRAWS)["mae"]


def test_cohorts_of_one_subject_are_left_out_and_absent_classes_have_no_gap() -> None:
    truth = np.array([0, 0, 1, 1, 0, 0, 0, 2, 2, 0, 1])
    cohorts = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1, -1])
    subjects = np.array([0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 7])
    probabilities = np.eye(3)[truth]
    attribute = of_classes(truth, probabilities, replace(DRAWS, subjects=subjects), ordered=False, bins=5)
    found = compare_cohorts(attribute, cohorts, NAMES)
    assert (found["unknown"], found["left_out"], found["images"]) == (2, {"C": 2}, {"A": 4, "B": 3})
    assert list(found["metrics"]["recall", 0]["cohorts"]) == ["A", "B"]
    assert "gap" not in found["metrics"]["recall", 1]
    assert found["metrics"]["recall", 2] == {"cohorts": {}}
    assert found["metrics"]["accuracy", -1]["gap"]["high"] > 0.1  # no error was made, but by few subjects


def test_no_cohort_of_two_subjects_gives_no_metrics() -> None:
    attribute = of_numbers(np.arange(3.0), np.arange(3.0), DRAWS, tolerance=1)
    found = compare_cohorts(attribute, np.array([-1, 0, -1]), ["A"])
    assert found == {"unknown": 2, "images": {}, "left_out": {"A": 1}, "metrics": {}}


def simulated(seed: int, harder: float = 0.0) -> dict[tuple[str, int], Any]:
    """Shares of images with an error of at most 5 in four cohorts of 120 images of 40 subjects; ``harder`` in the first one."""
    generator = np.random.default_rng([seed, 11])
    cohorts = np.repeat(np.arange(4), 120)
    subjects = np.arange(480) // 3
    errors = generator.normal(0, 3, 160)[subjects] + generator.normal(0, 4, 480)
    errors = errors * np.where(cohorts == 0, 1 + harder, 1.0)
    attribute = of_numbers(np.zeros(480), errors, Draws(subjects, 200, seed), tolerance=5)
    found = compare_cohorts(attribute, cohorts, NAMES)
    return dict(found["metrics"])


@pytest.mark.slow
def test_equal_cohorts_are_found_different_in_5_percent_of_400_tables() -> None:
    tables = [simulated(seed) for seed in range(400)]
    for metric in ("mae", "cumulative_score"):
        gaps = [one[metric, -1]["gap"]["low"] > 0 for one in tables]
        against = [any(two["low"] > 0 or two["high"] < 0 for two in one[metric, -1]["differences"].values()) for one in tables]
        assert 0.035 <= np.mean(gaps) <= 0.065, metric
        assert 0.035 <= np.mean(against) <= 0.065, metric


def test_a_planted_gap_is_found_and_its_interval_holds_it() -> None:
    tables = [simulated(seed, harder=0.8) for seed in range(40)]
    truth = 0.8 * 5 * (2 / np.pi) ** 0.5  # mean absolute errors of normal numbers with standard deviations 9 and 5
    gaps = [one["mae", -1]["gap"] for one in tables]
    assert all(one["low"] > 0 and one["p"] < 0.05 and one["highest"] == "A" for one in gaps)
    assert sum(one["low"] <= truth <= one["high"] for one in gaps) >= 36
    assert sum(one["cumulative_score", -1]["differences"]["A"]["high"] < 0 for one in tables) >= 38
