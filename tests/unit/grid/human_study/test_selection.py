import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.human_study.selection import select

GENERATOR = np.random.default_rng(3)
SAME = np.arange(4000) % 2 == 0
SCORES = np.where(SAME, 0.5, 0.0) + GENERATOR.normal(size=4000) * 0.3


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 200), st.floats(0, 1), st.booleans(), st.integers(0, 5))
def test_the_network_decides_the_wished_share_correctly(pairs: int, accuracy: float, balanced: bool, seed: int) -> None:
    rows, rule = select(SCORES, SAME, 0.25, pairs=pairs, accuracy=accuracy, balanced=balanced, seed=seed)
    assert len(set(rows.tolist())) == pairs
    correct = (SCORES[rows] >= 0.25) == SAME[rows]
    assert abs(correct.sum() - pairs * accuracy) <= 0.5
    assert rule["network_accuracy"] == correct.mean()
    counts = rule["selected"]
    assert sum(counts.values()) == pairs
    if balanced:
        assert abs(counts["true accept"] - counts["true reject"]) <= 1
        assert abs(counts["false accept"] - counts["false reject"]) <= 1
        assert abs(SAME[rows].sum() - pairs / 2) <= 1


def test_the_200_pairs_of_the_paper_are_75_75_25_and_25() -> None:
    _, rule = select(SCORES, SAME, 0.25)
    assert rule["selected"] == {"true accept": 75, "false reject": 25, "true reject": 75, "false accept": 25}


def test_the_position_says_nothing_and_the_seed_decides() -> None:
    first, again, other = (select(SCORES, SAME, 0.25, seed=seed)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(np.sort(first), np.sort(other))
    assert 20 < SAME[first][:75].sum() < 55  # not sorted by kind
    assert 5 < ((SCORES[first] >= 0.25) != SAME[first])[:100].sum() < 45


def test_too_few_pairs_of_an_outcome_are_named_with_what_is_possible() -> None:
    same = np.array([True] * 40 + [False] * 40)
    scores = np.where(same, 0.9, 0.1)
    message = r"5 pairs of false reject, and there are 3 .* at most --pairs 26"
    scores[[0, 1, 2]], scores[[40, 41, 42]] = 0.2, 0.8
    with pytest.raises(ValueError, match=message):
        select(scores, same, 0.5, pairs=40, accuracy=0.75)
    with pytest.raises(ValueError, match="at least 2"):
        select(scores, same, 0.5, pairs=1)
    with pytest.raises(ValueError, match="from 0 to 1"):
        select(scores, same, 0.5, accuracy=75)
    _, rule = select(scores, same, 0.5, pairs=26, accuracy=0.75)
    assert rule["available"] == {"true accept": 37, "false reject": 3, "true reject": 37, "false accept": 3}
