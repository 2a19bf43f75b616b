"""Classical tests of two cells: those of single networks, and of means over replicates."""

import numpy as np
import pytest
from scipy import stats

from grid.analysis.item_tests import Check, item_tests
from grid.analysis.observations import Items
from modules.metrics.auc_jackknife import AUCJackknife
from modules.metrics.intervals import placements
from modules.metrics.paired_bootstrap import held_out_decisions
from modules.metrics.paired_tests import delong, mcnemar
from modules.metrics.roc import Curve

N, PEOPLE = 400, 50


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    same = np.arange(N) % 2 == 0
    left = rng.integers(0, PEOPLE, N)
    right = np.where(same, left, (left + rng.integers(1, PEOPLE, N)) % PEOPLE)
    scores = np.array([2.0, 1.7, 1.4, 1.2])[:, None] * same + rng.normal(size=N) + rng.normal(size=(4, N)) * 0.5
    return scores, same, np.arange(N) // 2 % 10, (left, right)


def test_accuracies_have_mcnemars_test_of_the_decisions(data):
    scores, same, folds, subjects = data
    found = item_tests("ten_fold", [[0], [2]], Items(scores, same, folds, subjects))(0, 1)
    assert found == Check("McNemar, independent pairs", mcnemar(*(held_out_decisions(scores[n], same, folds) for n in (0, 2))))
    found = item_tests("best_threshold", [[0], [2]], Items(scores, same, folds, None))(0, 1)
    right = [(scores[n] >= Curve.of(scores[n], same).best()[1]) == same for n in (0, 2)]
    assert found == Check("McNemar, independent pairs", mcnemar(*right))


def test_without_subjects_delongs_test_is_that_of_independent_pairs(data):
    scores, same, folds, _ = data
    found = item_tests("auc", [[0], [1]], Items(scores, same, folds, None))(0, 1)
    assert (found.test, found.p) == (
        "DeLong, independent pairs",
        pytest.approx(delong(placements(scores[0], same), placements(scores[1], same)).p, rel=1e-12),
    )


def test_the_jackknife_of_replicates_is_that_of_their_mean_area(data):
    """Leaving a subject out of every network and averaging, pair of subjects by pair of subjects."""
    scores, same, folds, subjects = data
    found = item_tests("auc", [[0, 1], [2, 3]], Items(scores, same, folds, subjects))(0, 1)
    parts = [AUCJackknife.of(row, same, subjects) for row in scores]
    weights = np.array([0.5, 0.5, -0.5, -0.5])
    value = weights @ [one.value for one in parts]
    gaps = weights @ np.array([one.without for one in parts]) - value
    between = weights @ np.array([one.influence for one in parts])
    count = len(gaps)
    variance = (count - 1) / count * (gaps**2).sum() - (between**2).sum()
    assert found == Check("DeLong, subjects", pytest.approx(2 * stats.t.sf(abs(value) / variance**0.5, count - 1), rel=1e-9))


def test_areas_of_replicates_without_subjects_are_averaged_pair_by_pair(data):
    scores, same, folds, _ = data
    found = item_tests("auc", [[0, 1], [2, 3]], Items(scores, same, folds, None))(0, 1)
    wins = (scores[:, same][:, :, None] > scores[:, ~same][:, None, :]).mean(axis=2)
    losses = (scores[:, same][:, :, None] > scores[:, ~same][:, None, :]).mean(axis=1)
    weights = np.array([0.5, 0.5, -0.5, -0.5])
    variance = sum(np.var(weights @ part, ddof=1) / part.shape[1] for part in (wins, losses))
    z = (weights @ wins).mean() / variance**0.5
    assert found == Check("DeLong, independent pairs", pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9))


def test_accuracies_of_replicates_are_tested_by_the_means_of_their_decisions(data):
    """Against the distribution over random signs that the normal approximation stands for."""
    scores, same, folds, subjects = data
    found = item_tests("ten_fold", [[0, 1], [2, 3]], Items(scores, same, folds, subjects))(0, 1)
    right = np.array([held_out_decisions(row, same, folds) for row in scores], float)
    gaps = right[:2].mean(axis=0) - right[2:].mean(axis=0)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(20_000, N))
    assert found.test == "McNemar, independent pairs, means over replicates"
    assert found.p == pytest.approx((np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-9).mean(), abs=0.01)


def test_metrics_that_are_one_place_of_the_curve_have_none(data):
    scores, same, folds, subjects = data
    assert item_tests("eer", [[0], [1]], Items(scores, same, folds, subjects))(0, 1) is None
