"""Paired tests against their naive forms, scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as exact
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from modules.metrics.intervals import placements
from modules.metrics.paired_tests import anova_type, delong, equivalence, holm, mcnemar, student


def naive_delong(scores, others, same):
    """All genuine-impostor comparisons one by one, O(mn)."""
    placements = []
    for values in (scores, others):
        genuine, impostor = values[same], values[~same]
        wins = np.array([[(g > i) + 0.5 * (g == i) for i in impostor] for g in genuine], float)
        placements.append((wins.mean(axis=1), wins.mean(axis=0), wins.mean()))
    (v10, v01, area), (w10, w01, other) = placements
    s10, s01 = np.cov(v10, w10), np.cov(v01, w01)
    contrast = np.array([1, -1])
    variance = contrast @ (s10 / len(v10) + s01 / len(v01)) @ contrast
    return area - other, variance


@pytest.mark.parametrize("rounded", [False, True])
def test_delong_is_the_naive_form(rounded):
    rng = np.random.default_rng(0)
    same = rng.random(90) < 0.4
    scores = rng.normal(size=90) + same
    others = scores + rng.normal(size=90)
    if rounded:  # ties
        scores, others = scores.round(), others.round()
    found = delong(placements(scores, same), placements(others, same))
    value, variance = naive_delong(scores, others, same)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(value) / variance**0.5), rel=1e-9)
    assert (found.high - found.low) / 2 == pytest.approx(stats.norm.ppf(0.975) * variance**0.5, rel=1e-9)


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs():
    rng = np.random.default_rng(1)
    one, other = rng.random(200) < 0.9, rng.random(200) < 0.8
    first, second = int((one & ~other).sum()), int((~one & other).sum())
    assert mcnemar(one, other) == pytest.approx(stats.binomtest(first, first + second).pvalue)
    table = [[(one & other).sum(), first], [second, (~one & ~other).sum()]]
    assert mcnemar(one, other) == pytest.approx(exact(table, exact=True).pvalue)


def test_tost_and_t_are_those_of_statsmodels_and_scipy():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=25), rng.normal(size=25)
    gap = one - other
    variance = gap.var(ddof=1) / 25
    assert equivalence(gap.mean(), variance, 24, 0.8) == pytest.approx(ttost_paired(one, other, -0.8, 0.8)[0])
    found, known = student(gap.mean(), variance, 24, 25), stats.ttest_rel(one, other)
    assert found.p == pytest.approx(known.pvalue)
    interval = known.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_a_margin_must_be_above_0():
    for margin in (0, -0.01, float("nan")):
        with pytest.raises(ValueError, match="margin"):
            equivalence(0.0, 1.0, 10, margin)


def test_the_sum_of_squares_of_one_effect_is_students_test():
    values = np.random.default_rng(4).normal(size=20) + 0.4
    known = stats.ttest_1samp(values, 0)
    f, degrees, p = anova_type(values.mean()[None], np.array([[0.5]]), np.array([[values.var(ddof=1) / 20]]), 19)
    assert (f, degrees, p) == (pytest.approx(known.statistic**2), (1, 19), pytest.approx(known.pvalue))


def test_the_sum_of_squares_is_judged_by_the_moments_of_its_quadratic_form():
    """Simulated values of known covariance: the statistic has mean 1 and the variance of an F with Box's degrees of freedom."""
    rng = np.random.default_rng(5)
    spread = np.array([[2 / 3, -1 / 3, 0], [-1 / 3, 2 / 3, 0], [0, 0, 1.0]])
    root = rng.normal(size=(3, 3))
    found = [anova_type(root @ row, spread, root @ root.T, 1e9) for row in rng.normal(size=(20_000, 3))]
    values, (free, degrees) = np.array([one[0] for one in found]), found[0][1]
    assert values.mean() == pytest.approx(1, abs=0.03)
    assert values.var() == pytest.approx(2 / free, rel=0.06)
    assert (1 < free < 3, degrees) == (True, 1e9)
    assert found[0][2] == pytest.approx(stats.chi2.sf(values[0] * free, free), rel=1e-6)


def test_no_variance_is_no_information_and_no_interval_has_width_0():
    found = student(0.0, 0.0, 59, 60)
    assert found.p == 1
    assert found.high == -found.low == pytest.approx(0.06, abs=0.005)  # about 3 / 60
    assert equivalence(0.0, 0.0, 59, 0.01) == 1
    assert anova_type(np.zeros(3), np.eye(3), np.zeros((3, 3)), 59) == (0.0, (3, 59), 1.0)
    same = np.arange(10) < 5
    assert delong(placements(np.arange(10.0), same), placements(np.arange(10.0), same)).p == 1


def test_holm_by_hand_and_by_statsmodels():
    values = np.random.default_rng(0).random(20) ** 4
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
