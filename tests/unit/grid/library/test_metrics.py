"""Verification of two arrays."""

import numpy as np
import pytest

import facegrid as fg
from grid.library.metrics import dealt


def test_verification_of_scores_has_accuracies_rates_and_intervals() -> None:
    generator = np.random.default_rng(0)
    same = generator.random(400) < 0.4
    scores = np.tanh(np.where(same, 1.0, 0.0) + generator.normal(0, 1, 400))  # cosines, as the modes of squared distances need
    found = fg.metrics.verification(scores.tolist(), same.tolist())
    brute = np.mean([(g > i) + (g == i) / 2 for g in scores[same] for i in scores[~same]])
    assert found["auc"]["value"] == pytest.approx(brute)
    assert found["auc"]["low"] < brute < found["auc"]["high"]
    assert {"ten_fold", "best_threshold", "facenet"} <= set(found["modes"])
    assert found["modes"]["best_threshold"]["value"] == found["best_threshold"]["value"]
    assert 0 < found["eer"]["value"] < 0.5


def test_given_folds_count() -> None:
    same = np.arange(40) % 2 == 0
    scores = np.random.default_rng(0).random(40)
    found = fg.metrics.verification(scores, same, folds=np.arange(40) // 10)
    assert len(found["modes"]["ten_fold"]["folds"]) == 4


@pytest.mark.parametrize("genuine", [10, 25, 300])
def test_each_fold_has_its_share_of_each_kind(genuine: int) -> None:
    same = np.random.default_rng(1).permutation(np.arange(600) < genuine)
    folds = dealt(same)
    for kind in (True, False):
        counts = np.bincount(folds[same == kind], minlength=10)
        assert counts.max() - counts.min() <= 1


def test_modules_of_metrics_are_there_by_name() -> None:
    from modules.metrics import identification

    assert fg.metrics.identification is identification
    assert "verification" in dir(fg.metrics)
    with pytest.raises(
        AttributeError, match=r"facegrid.metrics has no 'verifcation' \(known: absolute_error, accuracy_modes, "
    ):
        fg.metrics.verifcation  # noqa: B018


def scored(pairs: int = 400, people: int = 30) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Scores that depend on the subjects, labels, and the subjects of both images."""
    generator = np.random.default_rng(2)
    same = np.arange(pairs) % 2 == 0
    first = generator.integers(0, people, pairs)
    second = np.where(same, first, (first + generator.integers(1, people, pairs)) % people)
    own = generator.normal(0, 0.7, people)
    return np.where(same, 1.0, 0.0) + own[first] + generator.normal(0, 0.5, pairs), same, (first, second)


def test_without_subjects_the_result_says_that_pairs_count_as_independent() -> None:
    scores, same, _ = scored()
    found = fg.metrics.verification(scores, same)
    assert found["intervals"]["method"] == "independent pairs"
    assert "too narrow" in found["intervals"]["note"]
    assert found["auc"]["method"] == "DeLong, independent pairs"


def test_with_subjects_every_interval_resamples_them_and_is_wider() -> None:
    scores, same, subjects = scored()
    alone, found = (fg.metrics.verification(scores, same, subjects=given, resamples=200) for given in (None, subjects))
    assert found["intervals"] == {
        "method": "subject bootstrap", "note": "200 resamples of 30 subjects, with all pairs among them; jackknife for the AUC",
    }  # fmt: skip
    assert {found[name]["method"] for name in ("eer", "ten_fold", "best_threshold")} == {"subject bootstrap"}
    assert found["auc"]["method"] == "subject jackknife"
    width = [one["auc"]["high"] - one["auc"]["low"] for one in (alone, found)]
    assert width[1] > width[0]
    assert found["auc"]["delong"] == alone["auc"]["delong"]


def test_subjects_that_cannot_be_resampled_give_the_reason() -> None:
    same = np.arange(8) < 4
    first = np.array([0, 0, 0, 0, 1, 2, 3, 4])
    subjects = (first, np.where(same, first, first + 10))
    found = fg.metrics.verification(np.linspace(1, 0, 8), same, folds=np.arange(8) % 2, subjects=subjects, resamples=1)
    assert found["intervals"]["method"] == "independent pairs"
    assert "since subjects cannot be resampled: genuine pairs are of 1 subjects" in found["intervals"]["note"]


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        ([1, 2, 3], "subjects are two arrays .*; found a list of length 3"),
        (([0] * 399, [0] * 400), r"subjects: one for each of 400 pairs in both arrays; found ndarray int64 \(399,\)"),
        ((["a"] * 400, ["a"] * 400), "pair 1 is an impostor pair, and its subjects are 'a' and 'a'; check same and subjects"),
        (
            (range(400), [str(n) for n in range(400)]),
            "pair 0 is genuine, .* 0 and '0'; the first is int, the other str; pass both",
        ),
    ],
)
def test_subjects_that_contradict_the_pairs_are_refused(subjects: object, said: str) -> None:
    scores, same, _ = scored()
    with pytest.raises(ValueError, match=said):
        fg.metrics.verification(scores, same, subjects=subjects)


def test_labels_of_minus_one_are_refused_instead_of_counting_as_genuine() -> None:
    scores, same, _ = scored()
    with pytest.raises(ValueError, match=r"the label of row 1 is -1; a pair is genuine \(true, 1\) or not"):
        fg.metrics.verification(scores, np.where(same, 1, -1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fars": (0.1, 2)}, r"fars are false accept rates above 0 and at most 1, .*; found \(0.1, 2\)"),
        ({"fars": (0,)}, r"fars are .*; found \(0,\)"),
        ({"fars": (float("nan"),)}, "fars are "),
        ({"fars": 0.1}, "fars are .*; found 0.1"),
        ({"fars": ("0.1",)}, "fars are "),
        ({"resamples": 0}, "resamples is a whole number, at least 1; found 0"),
        ({"resamples": 1.5}, "resamples is a whole number, at least 1; found 1.5"),
    ],
)
def test_rates_and_resamples_out_of_range_are_refused(given: dict[str, object], said: str) -> None:
    scores, same, _ = scored()
    with pytest.raises(ValueError, match=said):
        fg.metrics.verification(scores, same, **given)
