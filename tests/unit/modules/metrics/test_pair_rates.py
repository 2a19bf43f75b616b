"""Error rates over pairs that share subjects: the variance against naive sums over pairs of pairs, and no interval of width
0."""

import itertools

import numpy as np
import pytest

from modules.metrics.intervals import effective, mid_p
from modules.metrics.pair_rates import PairRate, connected, numbered


def drawn(seed, subjects=12, n=60, genuine=False):
    rng = np.random.default_rng(seed)
    left = rng.integers(0, subjects, n)
    right = left if genuine else (left + rng.integers(1, subjects, n)) % subjects
    hard = rng.random(subjects) < 0.3
    return (hard[left] | hard[right]) & (rng.random(n) < 0.8), left, right


@pytest.mark.parametrize("genuine", [True, False])
def test_the_variance_is_that_of_the_jackknife_over_subjects(genuine):
    """Subjects left out one by one; for impostor pairs, what is counted at both subjects is subtracted once."""
    errors, left, right = drawn(1, genuine=genuine)
    value, total = errors.mean(), 0.0
    for subject in np.unique(np.concatenate([left, right])):
        kept = (left != subject) & (right != subject)
        total += (errors[kept].mean() - value) ** 2
    if not genuine:
        between = {}
        for a, b, error in zip(left, right, errors, strict=True):
            between[frozenset((a, b))] = between.get(frozenset((a, b)), 0.0) + error - value
        assert len(between) < len(errors), "some pairs are of the same two subjects"
        total -= sum(found**2 for found in between.values()) / len(errors) ** 2
    assert PairRate.of(errors, left, right).variance == pytest.approx(total)


@pytest.mark.parametrize("genuine", [True, False])
def test_degrees_of_freedom_are_those_of_the_ratio_of_sums_over_subjects(genuine):
    """Satterthwaite's, with the delta method: the ratio is recomputed with a little more weight on one subject at a time."""
    _, left, right = drawn(3, subjects=40, n=400, genuine=genuine)
    errors = (np.arange(400) % 20 == 0) | (left < 2) | (right < 2)  # two subjects have most errors
    residual, parts, own = errors - errors.mean(), [], []
    for subject in range(40):
        mine = (left == subject) | (right == subject)
        part = (residual[mine].sum() / (1 - mine.mean())) ** 2
        for other in range(40):
            both = mine & ((left == other) | (right == other)) & (left != right)
            part -= residual[both].sum() ** 2 / 2 if other != subject else 0
        parts.append(part)
        own.append((residual[mine] ** 2).sum() / (1 if genuine else 2))
    design, step, noise = sum(parts) / sum(own), 1e-6, 0.0
    for part, alone in zip(parts, own, strict=True):
        noise += (((sum(parts) + step * part) / (sum(own) + step * alone) - design) / step) ** 2
    found = PairRate.of(errors, left, right)
    assert found.variance == pytest.approx(sum(parts) / 400**2)
    assert found.freedom == pytest.approx(2 * design**2 / noise, rel=1e-3)
    assert found.freedom < 35, "S - 1 are 39"


def test_two_subjects_with_half_of_the_errors_leave_few_degrees_of_freedom():
    subjects, number = np.repeat(np.arange(100), 10), np.arange(1000)
    alone = PairRate.of(number % 25 == 0, subjects, subjects)  # 40 subjects have one error each
    found = PairRate.of((number % 50 == 0) | (number < 20), subjects, subjects)
    assert alone.freedom == 99
    assert found.freedom < 25
    low, high = effective(found.value, found.variance, 100, 1000, mid_p)  # with 99
    assert found.interval[0] < low
    assert found.interval[1] > high


def test_pairs_without_common_subjects_have_the_binomial_variance():
    errors = np.arange(40) < 10  # the jackknife's factor 1 / (1 - 1/40) ** 2, of both subjects less the pair's own
    found = PairRate.of(errors, np.arange(40), np.arange(40) + 40)
    assert found.variance == pytest.approx(0.25 * 0.75 / 40 * (2 / (1 - 1 / 40) ** 2 - 1))
    assert (found.errors, found.pairs, found.subjects, found.value) == (10, 40, 80, 0.25)


@pytest.mark.parametrize(("count", "share"), itertools.product((1, 2, 5, 60), (0, 1)))
def test_no_errors_and_only_errors_have_an_interval(count, share):
    subjects = np.arange(count)
    low, high = PairRate.of(np.full(count, share, bool), subjects, subjects).interval
    assert high - low > 1 / (count + 5)  # the rule of three is 3 / count
    assert low == 0 if share == 0 else high == 1


@pytest.mark.parametrize("labels", [[3, 0, 3, 7], [-1, 5, -1], [10**9, 2, 2], ["b", "a", "b"], [], [31, 0, 1, 1]])
def test_labels_are_numbered_in_order(labels):
    which, count = numbered(np.array(labels))
    names, expected = np.unique(labels, return_inverse=True)
    assert count == len(names)
    assert which.tolist() == expected.tolist()


def test_no_pairs_have_no_rate():
    found = PairRate.of(np.zeros(0, bool), np.zeros(0, int), np.zeros(0, int))
    assert np.isnan(found.value)
    assert found.interval == (0.0, 1.0)


@pytest.mark.parametrize("rate", [0.1, 0.001])
def test_intervals_hold_the_rate_where_subjects_differ(rate):
    """The short form of tests/bench/test_rate_coverage_bench.py; intervals of independent pairs hold it less often."""
    from scipy.stats import norm

    from modules.metrics.intervals import wilson

    rng, held, alone = np.random.default_rng(0), [], []
    subjects = np.repeat(np.arange(200), 5)
    for _ in range(400):
        score = 2 * rng.normal(size=200)[subjects] + rng.normal(size=1000)
        found = PairRate.of(score > 5**0.5 * norm.isf(rate), subjects, subjects)
        for ends, into in ((found.interval, held), (wilson(found.errors, found.pairs), alone)):
            into.append(ends[0] <= rate <= ends[1])
    assert np.mean(held) > 0.93
    assert np.mean(alone) < np.mean(held) - 0.05


def test_members_are_connected_over_any_number_of_pairs():
    count, group = connected(np.array([0, 1, 4]), np.array([1, 5, 4]), 7)  # 0-1-5, and 2, 3, 4, 6 alone
    assert count == 5
    assert group[0] == group[1] == group[5]
    assert len(set(group[[0, 2, 3, 4, 6]].tolist())) == 5
