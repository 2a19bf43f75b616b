"""Families against a plain search, and a split that keeps each on one side."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.families import families, split_families


def plain(identities: list[str], pairs: list[tuple[int, int]]) -> list[int]:
    """Merges the smallest numbers until nothing changes."""
    found = list(range(len(identities)))
    links = [*pairs, *((a, b) for a in found for b in range(a) if identities[a] == identities[b])]
    changed = True
    while changed:
        changed = False
        for a, b in links:
            low = min(found[a], found[b])
            if (found[a], found[b]) != (low, low):
                found[a] = found[b] = low
                changed = True
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12), st.data())
def test_a_family_is_connected_by_subjects_and_near_duplicates(identities: list[str], data: st.DataObject) -> None:
    row = st.integers(0, len(identities) - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=6))
    found = families(identities, np.array(pairs, np.int64).reshape(-1, 2))
    assert found.tolist() == plain(identities, pairs)


def test_no_family_is_on_both_sides_and_every_class_is_held_out() -> None:
    generator = np.random.default_rng(0)
    family = np.repeat(np.arange(0, 200, 2), 2)  # pairs of rows
    gender = np.repeat(generator.integers(0, 2, 100), 2)
    keys = [f"{row}.jpg" for row in range(200)]
    train, held = split_families(keys, family, [gender], 0.2, 0)
    assert len(held) == 40
    assert not set(family[train]) & set(family[held])
    assert sorted([*train, *held]) == list(range(200))
    assert abs(gender[held].mean() - gender.mean()) < 0.05
    assert split_families(keys, family, [gender], 0.2, 1)[1].tolist() != held.tolist()
    assert split_families(keys, family, [gender], 0.0, 0)[1].tolist() == []
