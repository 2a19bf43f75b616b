"""Levels and intervals of several looks: against scipy, Tukey's test and a second simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from modules.metrics.group_sequential import common_variance, half_width, nominal_levels, p_value, welch

VALUES = np.random.default_rng(3).normal(size=(3, 6)) * np.array([[1.0], [3.0], [0.2]])
PAIRS = tuple(combinations(range(3), 2))


def test_differences_are_those_of_welch_s_test():
    first, second = zip(*PAIRS, strict=True)
    value, error, degrees = welch(VALUES, list(first), list(second))
    p = p_value(value, error, degrees)
    for place, (one, other) in enumerate(PAIRS):
        known = stats.ttest_ind(VALUES[one], VALUES[other], equal_var=False)
        assert (p[place], degrees[place]) == pytest.approx((known.pvalue, known.df))
        low, high = known.confidence_interval(0.99)
        assert half_width(error[place], degrees[place], 0.01) == pytest.approx((high - low) / 2)
        assert value[place] == pytest.approx((high + low) / 2)


def test_means_are_those_of_the_t_test_of_one_sample():
    moments = welch(VALUES, [0, 1, 2], None)
    known = stats.ttest_1samp(VALUES, 0, axis=1)
    assert p_value(*moments) == pytest.approx(known.pvalue)
    assert moments[2] == pytest.approx([5, 5, 5])


def test_values_that_are_all_equal_say_nothing():
    value, error, degrees = welch(np.array([[0.5, 0.5], [0.6, 0.6]]), [0], [1])
    assert p_value(value, error, degrees) == [1.0]
    assert half_width(float(error[0]), float(degrees[0]), 0.05) is None


def test_nothing_can_be_rejected_at_a_level_of_0():
    assert half_width(0.1, 4, 0.0) is None


def test_one_look_at_many_replicates_is_tukey_s_test():
    (level,) = nominal_levels(4, tuple(combinations(range(4), 2)), (40,))
    critical = stats.studentized_range.isf(0.05, 4, 4 * 39) / 2**0.5
    assert level == pytest.approx(2 * stats.t.sf(critical, 4 * 39), rel=0.08)  # known to about 2 %


def moderated_p(one, other, common):
    """By scipy's Welch test: two degrees of freedom more are two values more, with the standard errors left as they are."""
    count = one.shape[-1]
    moments = []
    for values in (one, other):
        variance = (2 * common + (count - 1) * values.var(-1, ddof=1)) / (count + 1)
        moments += [values.mean(-1), (variance * (count + 2) / count) ** 0.5, count + 2]
    return stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue


def test_variances_are_averaged_with_the_common_one_of_the_first_look():
    common = common_variance(VALUES[:, :3])
    assert common == pytest.approx(np.mean([np.var(row[:3], ddof=1) for row in VALUES]))
    first, second = zip(*PAIRS, strict=True)
    p = p_value(*welch(VALUES, list(first), list(second), common))
    known = [moderated_p(VALUES[[one]], VALUES[[other]], common)[0] for one, other in PAIRS]
    assert p == pytest.approx(known)
    assert abs(p - p_value(*welch(VALUES, list(first), list(second)))).min() > 1e-3, "it differs from Welch's"


def test_two_cells_have_no_common_variance():
    assert common_variance(VALUES[:2]) is None


def test_the_error_is_spent_as_the_spending_function_says():
    looks = (3, 4, 5, 6, 7, 8)
    levels = nominal_levels(3, PAIRS, looks)
    values = np.random.default_rng(8).normal(size=(6000, 3, 8))
    common = values[:, :, :3].var(-1, ddof=1).mean(-1)
    rejected, shares = np.zeros(6000, bool), []
    for count, level in zip(looks, levels, strict=True):
        for one, other in PAIRS:
            rejected |= moderated_p(values[:, one, :count], values[:, other, :count], common) < level
        shares.append(rejected.mean())
    assert shares == pytest.approx([0.05 * (count / 8) ** 2 for count in looks], abs=0.0085)  # three standard errors at 5 %


def test_a_look_with_almost_no_error_to_spend_rejects_nothing_and_leaves_it_to_the_next():
    first, last = nominal_levels(2, ((0, 1),), (2, 40))
    assert first == 0.0
    assert last == pytest.approx(0.05, rel=0.08)


def test_the_levels_are_the_same_on_every_machine():
    found = nominal_levels(2, ((0, 1),), (3, 4, 5, 6, 7, 8))
    assert found == pytest.approx(LEVELS, rel=1e-9)


LEVELS = (0.012249672822662415, 0.010330445331046139, 0.013469174059966086, 0.016888876874804493, 0.021832767825887098, 0.028884025637455655)  # fmt: skip  # noqa: E501
