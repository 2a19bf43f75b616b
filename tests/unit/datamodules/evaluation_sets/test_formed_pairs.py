"""Pairs formed from identities, against all pairs of a fold's images."""

from itertools import combinations

import numpy as np
import pytest

from datamodules.evaluation_sets.formed_pairs import formed_pairs
from datamodules.evaluation_sets.pairs import Pairs

SHOTS = (5, 1, 2, 4, 3, 3)  # images of each subject of a fold


def given(folds: int = 3, shots: tuple[int, ...] = SHOTS) -> tuple[Pairs, list[str]]:
    """Per fold, each image paired with the next one and with the image after that; subjects are in one fold only."""
    identities = [f"{fold}-{who}" for fold in range(folds) for who, count in enumerate(shots) for _ in range(count)]
    total = sum(shots)
    pairs = [
        (fold * total + place, fold * total + (place + step) % total, fold)
        for fold in range(folds)
        for place in range(total)
        for step in (1, 2)
    ]
    left, right, fold = (np.array(column) for column in zip(*pairs, strict=True))
    same = np.array([identities[one] == identities[other] for one, other in zip(left, right, strict=True)])
    return Pairs(left, right, same, fold), identities


def sets(pairs: Pairs, fold: int, same: bool) -> set[frozenset[int]]:
    here = (pairs.fold == fold) & (pairs.same == same)
    return {frozenset(pair) for pair in zip(pairs.left[here].tolist(), pairs.right[here].tolist(), strict=True)}


def test_all_further_genuine_pairs_and_equally_many_of_both_kinds_in_each_fold():
    asked, identities = given()
    found = formed_pairs(asked, identities)
    for fold in range(3):
        images = sorted({*asked.left[asked.fold == fold].tolist(), *asked.right[asked.fold == fold].tolist()})
        every = {frozenset(pair) for pair in combinations(images, 2)}
        genuine = {pair for pair in every if len({identities[row] for row in pair}) == 1}
        assert sets(found, fold, True) == genuine - sets(asked, fold, True)
        impostor = sets(found, fold, False)
        assert impostor <= every - genuine - sets(asked, fold, False)
        assert len(impostor) == max(0, len(genuine) - len(sets(asked, fold, False)))
    assert len({frozenset(pair) for pair in zip(found.left.tolist(), found.right.tolist(), strict=True)}) == len(found)


def test_there_are_impostor_pairs_to_form():
    """Few listed impostor pairs, so that the test above does not hold by their absence."""
    asked, identities = given(shots=(6, 6, 2))
    few = np.flatnonzero(asked.same | (np.arange(len(asked)) % 7 == 0))
    asked = Pairs(asked.left[few], asked.right[few], asked.same[few], asked.fold[few])
    found = formed_pairs(asked, identities)
    for fold in range(3):
        genuine = len(sets(asked, fold, True)) + len(sets(found, fold, True))
        assert len(sets(found, fold, False)) == genuine - len(sets(asked, fold, False)) > 0
        assert not sets(found, fold, False) & sets(asked, fold, False)


def test_the_seed_alone_changes_the_choice():
    asked, identities = given(shots=(6, 6, 2))
    few = np.flatnonzero(asked.same)
    asked = Pairs(asked.left[few], asked.right[few], asked.same[few], asked.fold[few])
    assert formed_pairs(asked, identities).digest == formed_pairs(asked, identities).digest
    assert formed_pairs(asked, identities).digest != formed_pairs(asked, identities, seed=1).digest


@pytest.mark.parametrize("shots", [(1, 1, 1), (3,)])
def test_folds_without_one_kind_form_what_there_is(shots):
    asked, identities = given(shots=shots)
    found = formed_pairs(asked, identities)
    assert len(found) == 0
    assert found.left.dtype == np.int64
