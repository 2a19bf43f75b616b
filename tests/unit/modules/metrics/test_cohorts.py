import math

import numpy as np
import pytest
from scipy.stats import norm

from modules.metrics.cohorts import cohort_rates

NAMES = [f"cohort {n}" for n in range(5)]


def table(seed, subjects=60, pairs=600, rate=0.05, raised=0.0, cohorts=5):
    """Impostor pairs within each cohort; subjects differ in how easily they are confused, and so much more in the first one."""
    rng = np.random.default_rng(seed)
    errors, left, right = [], [], []
    for cohort in range(cohorts):
        effect = rng.normal(0, 0.4, subjects)
        one = rng.integers(0, subjects, pairs)
        other = (one + rng.integers(1, subjects, pairs)) % subjects
        score = effect[one] + effect[other] + rng.normal(0, 1, pairs) + (raised if cohort == 0 else 0)
        errors.append(score > norm.ppf(1 - rate) * math.sqrt(1 + 2 * 0.4**2))
        left.append(one + cohort * subjects)
        right.append(other + cohort * subjects)
    return np.concatenate(errors), np.concatenate(left), np.concatenate(right), np.repeat(np.arange(cohorts), pairs)


def test_rates_and_counts_are_those_of_each_cohort():
    errors, left, right, cohorts = table(1)
    found = cohort_rates(errors, left, right, cohorts, NAMES)
    assert [one.cohort for one in found] == NAMES
    for number, one in enumerate(found):
        mine = cohorts == number
        assert (one.errors, one.pairs) == (errors[mine].sum(), mine.sum())
        assert one.subjects == len(set(left[mine]) | set(right[mine]))
        assert one.value == one.errors / one.pairs
        assert one.difference == pytest.approx(one.value - errors.mean())
        assert one.low < one.value < one.high
        assert one.difference_low < one.difference < one.difference_high


def test_the_interval_rests_on_the_jackknife_over_subjects_less_what_counts_at_both_subjects():
    from modules.metrics.intervals import effective

    errors, left, right, cohorts = table(2, subjects=12, pairs=80, cohorts=1)
    value = errors.mean()
    between = {}
    for a, b, residual in zip(left, right, errors - value, strict=True):
        between[frozenset((a, b))] = between.get(frozenset((a, b)), 0.0) + residual
    variance = -sum(found**2 for found in between.values()) / len(errors) ** 2
    for subject in set(left) | set(right):
        mine = (left == subject) | (right == subject)
        variance += (errors[~mine].mean() - value) ** 2  # leave the subject out
    (one,) = cohort_rates(errors, left, right, cohorts, ["all"])
    assert (one.low, one.high) == pytest.approx(effective(value, variance, one.subjects, one.pairs))


def test_genuine_pairs_count_once_for_their_subject():
    from modules.metrics.intervals import effective

    rng = np.random.default_rng(3)
    left = np.repeat(np.arange(20), 5)
    errors = rng.random(100) < np.repeat(rng.random(20) * 0.4, 5)
    (one,) = cohort_rates(errors, left, left, np.zeros(100, int), ["all"])
    out = [(errors[left != subject].mean() - errors.mean()) ** 2 for subject in range(20)]
    assert (one.low, one.high) == pytest.approx(effective(errors.mean(), sum(out), 20, 100))


@pytest.mark.slow
def test_equal_cohorts_are_found_different_in_5_percent_of_the_tables():
    found = [min(one.p for one in cohort_rates(*table([seed, 7]), NAMES, seed=seed)) < 0.05 for seed in range(400)]
    assert 0.035 <= np.mean(found) <= 0.065


def test_a_cohort_with_more_errors_is_found_and_the_others_are_not_above_it():
    found = cohort_rates(*table(4, raised=1.0), NAMES)
    assert found[0].p < 0.001
    assert found[0].difference_low > 0
    assert max(found, key=lambda one: one.value) is found[0]


def test_no_errors_give_intervals_of_positive_width_and_no_difference():
    errors, left, right, cohorts = table(5)
    found = cohort_rates(np.zeros_like(errors), left, right, cohorts, NAMES)
    assert all(one.low == 0 < one.high and one.p == 1 for one in found)


def test_a_cohort_without_errors_among_others_has_an_interval_and_a_p_value():
    errors, left, right, cohorts = table(6)
    errors = errors & (cohorts != 2)
    found = cohort_rates(errors, left, right, cohorts, NAMES)
    assert found[2].errors == 0
    assert found[2].high > 0
    assert 0 < found[2].p < 0.05


def test_a_handful_of_errors_shows_no_difference():
    errors, left, right, cohorts = table(9, rate=0.003)
    found = cohort_rates(errors, left, right, cohorts, NAMES)
    assert 0 < sum(one.errors for one in found) < 20
    assert min(one.p for one in found) > 0.05


def test_pairs_of_no_single_cohort_and_cohorts_of_one_subject_are_left_out():
    errors, left, right, cohorts = table(7)
    cohorts = np.where(cohorts == 4, -1, cohorts)
    alone = np.flatnonzero(cohorts == 3)
    left[alone] = right[alone] = left[alone[0]]
    assert [one.cohort for one in cohort_rates(errors, left, right, cohorts, NAMES)] == NAMES[:3]


def test_arrays_of_unequal_length_are_refused():
    errors, left, right, cohorts = table(8)
    with pytest.raises(ValueError, match="3000 errors, 2999 left"):
        cohort_rates(errors, left[1:], right, cohorts, NAMES)


@pytest.mark.parametrize("wrong", [False, True])
def test_cohorts_without_any_error_are_not_said_to_be_exactly_equal(wrong):
    errors, left, right, cohorts = table(3)
    found = cohort_rates(np.full(len(errors), wrong), left, right, cohorts, NAMES)
    for one in found:
        assert one.difference == pytest.approx(0)
        assert one.difference_high == pytest.approx(-one.difference_low)
        assert 0.01 < one.difference_high < 0.2
