"""Verification of two arrays."""

import numpy as np
import pytest

import facegrid as fg
from grid.library.metrics import dealt


def test_verification_of_scores_has_accuracies_rates_and_intervals() -> None:
    generator = np.random.default_rng(0)
    same = generator.random(400) < 0.4
    scores = np.where(same, 1.0, 0.0) + generator.normal(0, 1, 400)
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
