"""Runs of a curve against the curve at every score, and against areas counted by hand."""

import numpy as np
import pytest

from modules.metrics.merged_thresholds import ROWS, MergedThresholds
from modules.metrics.subject_bootstrap import WeightedPairs

FARS = (0.5, 0.1, 0.01, 0.001)


def at_every_score(scores, same, weights):
    """``WeightedPairs``, whose weights are sums of two columns: here the pair's own and one of zeros."""
    order, count = np.argsort(-scores, kind="stable"), len(scores)
    times = np.hstack([weights.T.astype(np.int64), np.zeros((weights.shape[1], 1), np.int64)])
    return WeightedPairs(scores[order], same[order], order, np.full(count, count), ()).metrics(times, FARS)


@pytest.mark.parametrize("separation", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("digits", [1, 8])  # with one digit many scores are equal
@pytest.mark.parametrize("count", [7, 40, 333])
def test_runs_have_the_metrics_of_the_whole_curve(separation, digits, count):
    rng = np.random.default_rng(count)
    same = np.arange(count) % 3 == 0
    scores = np.round(rng.normal(size=count) + separation * same, digits)
    weights = rng.integers(0, 4, size=(count, 25)).astype(np.float64)
    found, wanted = MergedThresholds(scores, same).metrics(weights, FARS), at_every_score(scores, same, weights)
    assert found.keys() == wanted.keys()
    for key, values in wanted.items():
        np.testing.assert_allclose(found[key], values, rtol=0, atol=1e-12, err_msg=key)


def test_separated_scores_have_two_runs():
    same = np.arange(500) < 200
    found = MergedThresholds(np.arange(500)[::-1].astype(float), same)
    assert found.sums[0].shape == (ROWS, 500)  # nothing, two runs, and empty ones
    metrics = found.metrics(np.ones((500, 1)), FARS)
    assert (metrics["auc"], metrics["best_threshold"], metrics["eer"]) == (1, 1, 0)


def test_a_score_of_both_kinds_counts_half_in_the_area():
    scores, same = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])
    weights = np.array([[1.0], [2.0], [3.0], [5.0]])
    wins = 1 * (3 + 5) + 2 * (3 / 2 + 5)
    assert MergedThresholds(scores, same).metrics(weights, ())["auc"] == pytest.approx(wins / (3 * 8), abs=1e-15)
