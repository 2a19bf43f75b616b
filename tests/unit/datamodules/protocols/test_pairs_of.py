"""Pairs of any dataset: how they are spread, and that they follow from what the images are."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from configs.lookup import resolve
from datamodules.manifest import Manifest


def manifest(counts, order=None):
    rows = [(f"{who}/{number}", who) for who, count in counts.items() for number in range(count)]
    rows = rows if order is None else [rows[place] for place in order]
    keys, identities = zip(*rows, strict=True)
    return Manifest(keys, identities, (9,) * len(rows), (9,) * len(rows), keys)


def protocol(**settings):
    return resolve("protocol", {"name": "pairs_of", "data": {"name": "folder", "root": "faces"}, **settings})


def named(found, of):
    rows = zip(found.left.tolist(), found.right.tolist(), found.same.tolist(), found.fold.tolist(), strict=True)
    return [(of.keys[left], of.keys[right], same, fold) for left, right, same, fold in rows]


COUNTS = {f"p{number:02d}": 2 + number % 5 for number in range(24)} | {"single": 1}


@pytest.mark.parametrize(
    "settings", [{}, {"identities": 20}, {"folds": 3, "pairs_per_fold": 20}, {"folds": 4, "disjoint_folds": True}]
)
def test_pairs_are_what_they_are_called_and_no_pair_comes_twice(settings):
    images = manifest(COUNTS)
    found = protocol(**settings).pairs(images)
    folds = settings.get("folds", 10)
    for left, right, same, _ in zip(found.left, found.right, found.same, found.fold, strict=True):
        assert left != right
        assert same == (images.identities[left] == images.identities[right])
    assert len({frozenset(pair) for pair in zip(found.left.tolist(), found.right.tolist(), strict=True)}) == len(found)
    sizes = Counter(zip(found.fold.tolist(), found.same.tolist(), strict=True))
    assert set(sizes) == {(fold, same) for fold in range(folds) for same in (True, False)}
    assert len(set(sizes.values())) == 1
    subjects = {images.identities[row] for row in [*found.left, *found.right]}
    assert len(subjects) == settings.get("identities", 24)
    assert "single" not in subjects


def test_impostor_pairs_are_of_all_pairs_of_subjects_alike():
    images = manifest(dict.fromkeys("abcdef", 6))
    found = protocol(folds=5, pairs_per_fold=36).pairs(images)
    met = Counter(
        frozenset((images.identities[left], images.identities[right]))
        for left, right, same in zip(found.left, found.right, found.same, strict=True)
        if not same
    )
    assert set(met) == {frozenset(pair) for pair in combinations("abcdef", 2)}
    assert max(met.values()) - min(met.values()) <= 1


def test_disjoint_folds_share_no_subject():
    images = manifest(COUNTS)
    found = protocol(folds=6, disjoint_folds=True).pairs(images)
    of = [
        {images.identities[row] for row in [*found.left[found.fold == fold], *found.right[found.fold == fold]]}
        for fold in range(6)
    ]
    for one, other in combinations(of, 2):
        assert not one & other


def test_the_order_of_the_images_does_not_matter_and_the_seed_does():
    images = manifest(COUNTS)
    shuffled = manifest(COUNTS, np.random.default_rng(0).permutation(len(images)).tolist())
    one = named(protocol(identities=12).pairs(images), images)
    assert one == named(protocol(identities=12).pairs(shuffled), shuffled)
    assert one != named(protocol(identities=12, seed=1).pairs(images), images)


@pytest.mark.parametrize(
    ("settings", "counts", "said"),
    [
        ({"identities": 20}, dict.fromkeys("abc", 4), "3 of 3 identities of folder have two images, and 20 are needed"),
        ({}, {"a": 5, "b": 1, "c": 1}, "1 of 3 identities of folder have two images, and 2 are needed"),
        ({}, {"a": 2, "b": 2}, "a fold of 10 has at most 0 genuine .* and 1 of each kind are needed; .* or lower folds$"),
        (
            {"folds": 2, "pairs_per_fold": 8},
            {"a": 2, "b": 2},
            "at most 1 genuine .* and 4 of each kind .* or lower folds or pairs_per_fold",
        ),
        ({"disjoint_folds": True}, dict.fromkeys("abcdefgh", 4), "8 identities make no 10 folds of two identities or more"),
    ],
)
def test_too_few_identities_or_images_are_told_with_their_numbers(settings, counts, said):
    with pytest.raises(ValueError, match=f"protocol pairs_of: .*{said}"):
        protocol(**settings).pairs(manifest(counts))


def test_identities_of_any_size_are_used_up_to_so_many_images():
    images = manifest({"a": 300, "b": 2, "c": 3})
    found = protocol(images=4, folds=2).pairs(images)
    used = Counter(images.identities[row] for row in {*found.left.tolist(), *found.right.tolist()})
    assert used == {"a": 4, "b": 2, "c": 3}
    assert found.same.sum() == 6 + 1 + 3
