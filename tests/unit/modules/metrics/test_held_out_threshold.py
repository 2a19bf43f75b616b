"""Thresholds that are chosen on some subjects and measured on others."""

import numpy as np
import pytest

from modules.metrics.held_out_threshold import halves, held_out_threshold
from modules.metrics.intervals import wilson

RNG = np.random.default_rng(5)


def pairs(groups: int, subjects: int, count: int) -> tuple[np.ndarray, ...]:
    """Genuine and impostor pairs within groups of subjects."""
    base = RNG.integers(0, groups, count) * subjects
    left = base + RNG.integers(0, subjects, count)
    same = RNG.random(count) < 0.5
    right = np.where(same, left, base + (left - base + RNG.integers(1, subjects, count)) % subjects)
    return RNG.normal(0, 1, count) + 2 * same, same, left, right


def naive(scores: np.ndarray, same: np.ndarray, fmr: float) -> float:
    """The lowest impostor score that accepts at most that share of impostors."""
    fits = [t for t in scores[~same] if (scores[~same] >= t).mean() <= fmr]
    return float(min(fits))


def test_groups_without_common_subjects_stay_whole_and_lose_no_pair() -> None:
    scores, same, left, right = pairs(10, 8, 2000)
    chooses = halves(left, right)
    assert all(len({chooses[who] for who in range(8 * g, 8 * g + 8) if who in chooses}) == 1 for g in range(10))
    found = held_out_threshold(scores, same, left, right, 0.01)
    assert found["unused_pairs"] == 0
    assert abs(sum(found["chosen_on"][kind] for kind in ("genuine", "impostor")) - 1000) < 250


@pytest.mark.parametrize("groups", [1, 10])
def test_the_threshold_is_that_of_one_half_and_the_rates_are_those_of_the_other(groups: int) -> None:
    scores, same, left, right = pairs(groups, 80 // groups, 4000)
    found = held_out_threshold(scores, same, left, right, 0.02)
    chooses = halves(left, right)
    one = np.array([chooses[a] and chooses[b] for a, b in zip(left, right, strict=True)])
    other = np.array([not chooses[a] and not chooses[b] for a, b in zip(left, right, strict=True)])
    assert found["threshold"] == pytest.approx(naive(scores[one], same[one], 0.02), abs=1e-12)
    accepted = scores[other] >= found["threshold"]
    assert found["fmr"]["value"] == (accepted & ~same[other]).sum() / (~same[other]).sum()
    assert found["tmr"]["value"] == (accepted & same[other]).sum() / same[other].sum()
    assert found["unused_pairs"] == (~one & ~other).sum() == (0 if groups == 10 else found["unused_pairs"])
    assert not set(np.concatenate([left[one], right[one]])) & set(np.concatenate([left[other], right[other]]))


def test_a_rate_that_the_pairs_cannot_show_is_refused() -> None:
    scores, same, left, right = pairs(10, 8, 400)
    with pytest.raises(ValueError, match=r"cannot show a false match rate of 0\.0001; ask for"):
        held_out_threshold(scores, same, left, right, 1e-4)
    with pytest.raises(ValueError, match="between 0 and 1"):
        held_out_threshold(scores, same, left, right, 0)


def test_copies_of_the_pairs_do_not_narrow_the_intervals() -> None:
    """Every pair eight times adds no subject; Wilson's interval of independent pairs would be 2.8 times as narrow."""
    scores, same, left, right = (np.repeat(column, 8) for column in pairs(10, 8, 2000))
    found = held_out_threshold(scores, same, left, right, 0.02)
    for rate, kind in (("fmr", "impostor"), ("tmr", "genuine")):
        value, count = found[rate]["value"], found["measured_on"][kind]
        low, high = wilson(round(value * count), count)
        assert found[rate]["low"] < value < found[rate]["high"]
        assert found[rate]["high"] - found[rate]["low"] > 1.5 * (high - low)
