"""Which cells get another replicate, against a literal loop over looks and pairs."""

import itertools

import numpy as np
import pytest
from moderated_welch import interval
from scipy import stats

from modules.metrics.group_sequential import nominal_levels
from modules.metrics.sequential_replication import replicated

LOOKS = (3, 4, 5, 6)
PAIRS = tuple(itertools.combinations(range(4), 2))


def naive(values, width):
    """Cells in rounds: all that need another replicate get it, then all open pairs are judged."""
    levels = nominal_levels(len(values), PAIRS, LOOKS)
    common = np.mean([np.var(row[: LOOKS[0]], ddof=1) for row in values])
    has, state = [LOOKS[0]] * len(values), dict.fromkeys(PAIRS, "open")
    for count, level in zip(LOOKS, levels, strict=True):
        for one, other in (pair for pair in PAIRS if state[pair] == "open"):
            low, high = interval(values[one][:count], values[other][:count], common, level)
            if low > 0 or high < 0:
                state[one, other] = "differs"
            elif (high - low) / 2 <= width:
                state[one, other] = "narrow"
            elif count < LOOKS[-1]:
                has[one] = has[other] = count + 1
    return state, has


@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_a_loop_over_rounds_does(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, 6)) + rng.choice([0, 3, 9], 4)[:, None]
    width = 2.5
    state, has = naive(values, width)
    found = replicated(values.tolist(), PAIRS, LOOKS, width)
    assert {one.contrast: one.state for one in found.contrasts} == state
    assert list(found.counts) == has
    assert all(found.final)
    granted = [list(row[:count]) for row, count in zip(values, has, strict=True)]
    assert replicated(granted, PAIRS, LOOKS, width) == found, "replicates that nothing asked for are not used"


def test_every_state_occurs_in_that_comparison():
    rng = np.random.default_rng(0)
    seen = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        seen |= set(naive(rng.normal(size=(4, 6)) + rng.choice([0, 3, 9], 4)[:, None], 2.5)[0].values())
    assert seen == {"open", "differs", "narrow"}


def test_an_open_difference_asks_for_one_replicate_more_of_both_cells_only():
    values = [[0.0, 0.1, -0.1], [0.05, 0.2, 0.02], [90.0, 90.1, 89.9]]
    pairs = tuple(itertools.combinations(range(3), 2))
    found = replicated(values, pairs, LOOKS, 0.001)
    assert [one.state for one in found.contrasts] == ["open", "differs", "differs"]
    assert (found.counts, found.final) == ((4, 4, 3), (False, False, True))


def test_a_missing_value_holds_up_its_own_cell_alone():
    values = [[0.0, None, -0.1], [0.05, 0.2, 0.02], [0.1, 0.3, 0.0]]
    pairs = tuple(itertools.combinations(range(3), 2))
    found = replicated(values, pairs, LOOKS, 0.001)
    assert [one.state for one in found.contrasts] == ["waiting", "waiting", "open"]
    assert (found.counts, found.final) == ((3, 4, 4), (False, False, False))


def test_a_closed_difference_is_provisional_until_every_cell_counts_in_the_common_variance():
    """The third cell scatters so much that the difference of the others, closed without it, is open with it."""
    pairs = tuple(itertools.combinations(range(3), 2))
    values = [[0.0, 0.1, -0.1], [0.9, 1.0, 0.8], []]
    before = replicated(values, pairs, LOOKS, 0.001)
    assert [one.state for one in before.contrasts] == ["differs", "waiting", "waiting"]
    assert before.provisional
    assert before.final == (False, False, False)
    neighbors = replicated([*values[:2], [], []], ((0, 1), (2, 3)), LOOKS, 0.001)
    assert [one.state for one in neighbors.contrasts] == ["differs", "waiting"]
    assert not any(neighbors.final), "although cells 0 and 1 are compared with no other"
    after = replicated([*values[:2], [-9.0, 0.0, 9.0]], pairs, LOOKS, 0.001)
    assert after.contrasts[0].state == "open"
    assert not after.provisional


def test_no_cell_is_provisional_where_no_other_counts():
    means = replicated([[9.0, 9.1, 8.9], [9.0]], ((0, None), (1, None)), LOOKS, 1.0)
    assert (means.provisional, means.final) == (False, (True, False))
    pair = replicated([[0.0, 0.1, -0.1], [0.9]], ((0, 1),), LOOKS, 1.0)
    assert (pair.provisional, pair.final) == (False, (False, False))


def test_a_cell_with_all_replicates_needs_no_more_even_provisionally():
    found = replicated([[0.0] * 6, [0.0] * 6, []], ((0, 1),), LOOKS, 0.001)
    assert (found.provisional, found.final) == (True, (True, True, True))


def test_two_cells_alone_have_welch_s_interval():
    values = [[0.0, 0.1, -0.1, 0.3], [0.05, 0.9, 0.02, -0.5]]
    (one,) = replicated(values, ((0, 1),), LOOKS, 0.001).contrasts
    test = stats.ttest_ind(*values, equal_var=False)
    level = nominal_levels(2, ((0, 1),), LOOKS)[1]
    assert (one.low, one.high) == pytest.approx(test.confidence_interval(1 - level))


def test_cells_whose_values_are_all_equal_take_no_part_in_the_common_variance_and_keep_none():
    """A network that is not trained has no scatter between seeds; it says nothing about that of the others."""
    varied = [[0.0, 0.1, -0.1], [0.05, 0.2, 0.02], [0.4, 0.3, 0.1]]
    pairs = tuple(itertools.combinations(range(3), 2))
    level = nominal_levels(5, (*pairs, (3, 4)), LOOKS)[0]
    found = replicated([*varied, [0.5] * 3, [0.7] * 3], (*pairs, (3, 4)), LOOKS, 0.001)
    common = np.mean([np.var(row, ddof=1) for row in varied])
    assert (found.contrasts[0].low, found.contrasts[0].high) == pytest.approx(interval(*varied[:2], common, level))
    assert found.contrasts[3].low is None


def test_equal_values_are_no_evidence():
    found = replicated([[0.5] * 6, [0.7] * 6], ((0, 1),), LOOKS, 0.1)
    (one,) = found.contrasts
    assert (one.state, one.replicates, one.value) == ("open", 6, pytest.approx(-0.2))
    assert one.low is None
    assert one.high is None


def test_a_mean_is_closed_by_the_width_of_its_interval_alone():
    found = replicated([[9.0, 9.1, 8.9], [9.0, 12.0, 6.0]], ((0, None), (1, None)), LOOKS, 1.0)
    assert [one.state for one in found.contrasts] == ["narrow", "open"]
    assert found.counts == (3, 4)
    one = found.contrasts[0]
    level = nominal_levels(2, ((0, None), (1, None)), LOOKS)[0]
    assert (one.low, one.high) == pytest.approx(stats.ttest_1samp([9.0, 9.1, 8.9], 0).confidence_interval(1 - level))
