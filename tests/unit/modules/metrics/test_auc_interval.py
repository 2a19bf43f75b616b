"""Intervals of the AUC over subjects, against the jackknife and simulated lists with known AUC."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm, t

from modules.metrics.auc_interval import auc_interval
from modules.metrics.auc_jackknife import AUCJackknife


def scored(rng, subjects=60, eer=0.05, effect=0.5, each=10):
    """Scores with normal effects of subjects, as in tests/bench/test_rate_coverage_bench.py, and their true AUC."""
    n = each * subjects
    same = np.arange(n) % 2 == 0
    left = rng.integers(0, subjects, n)
    right = np.where(same, left, (left + rng.integers(1, subjects, n)) % subjects)
    ease = rng.normal(0, effect, subjects)
    own = np.where(same, 2**0.5 * ease[left], ease[left] + ease[right])
    shift = 2 * norm.isf(eer)
    scores = (own + rng.normal(size=n)) / (1 + 2 * effect**2) ** 0.5 + same * shift
    return (scores, same, left, right), float(norm.cdf(shift / 2**0.5))


def test_it_is_the_interval_of_the_jackknife():
    (scores, same, left, right), _ = scored(np.random.default_rng(0), subjects=400)
    found = AUCJackknife.of(scores, same, (left, right))
    variance = 399 / 400 * ((found.without - found.value) ** 2).sum() - (found.influence**2).sum()
    half = np.diff(logit(auc_interval(scores, same, left, right)))[0] / 2
    assert half == pytest.approx(t.ppf(0.975, 399) * variance**0.5 / (found.value * (1 - found.value)), rel=0.02)


@pytest.mark.parametrize("eer", [0.2, 0.02])
def test_it_holds_the_auc_in_95_percent_of_simulated_lists(eer):
    """With the pairs taken as independent, it does so in fewer than 80 %."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(600):
        data, area = scored(rng, subjects=200, eer=eer, each=5)
        low, high = auc_interval(*data)
        held.append(low <= area <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_full_separation_is_as_wide_as_the_subjects_allow():
    same = np.arange(200) % 2 == 0
    left = np.arange(200) // 2 % 20
    right = np.where(same, left, (left + 1) % 20)
    low, high = auc_interval(same + np.arange(200) / 1e4, same, left, right)
    assert (low, high) == (pytest.approx(0.05 ** (1 / 20)), 1.0)
    assert auc_interval(np.zeros(200), same, left, right)[0] < 0.4


def test_it_depends_on_the_order_of_scores_alone():
    data, _ = scored(np.random.default_rng(2))
    assert auc_interval(np.exp(data[0]), *data[1:]) == auc_interval(*data)


def test_a_single_bad_subject_makes_it_wide():
    """Nearly all of the variance is one subject's, so its degrees of freedom are few."""
    rng = np.random.default_rng(3)
    (scores, same, left, right), _ = scored(rng, subjects=100, eer=1e-4)
    bad = np.where(same & (left == 7), -1.0, scores)
    low, _ = auc_interval(bad, same, left, right)
    area = np.mean(bad[same][:, None] > bad[~same])
    shift = AUCJackknife.of(bad, same, (left, right))
    error = ((99 / 100) * ((shift.without - shift.value) ** 2).sum()) ** 0.5
    assert logit(area) - logit(low) > 2 * t.ppf(0.975, 99) * error / (area * (1 - area))
