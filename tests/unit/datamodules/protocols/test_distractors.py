"""Which images are probes, and which are distractors."""

import pytest

from configs.lookup import resolve
from datamodules.manifest import Manifest

WHO = ("a", "a", "a", "b", "b", "c", "d", "d", "e")


def chosen(**settings):
    keys = tuple(f"{who}/{row}" for row, who in enumerate(WHO))
    manifest = Manifest(keys, WHO, (1,) * 9, (1,) * 9, tuple(f"{n:064x}" for n in range(9)))
    found = resolve("protocol", {"name": "distractors", "data": "drawn", **settings}).clustering(manifest)
    return [WHO[row] for row in found.rows], found


def test_subjects_with_one_image_are_distractors():
    who, found = chosen()
    assert who == list(WHO)
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 4]


def test_other_subjects_give_one_image_each():
    who, found = chosen(subjects=1, images=2)
    counts = sorted(who.count(one) for one in set(who))
    assert counts == [1, 1, 1, 1, 2]
    assert chosen(subjects=1, images=2)[1].digest == found.digest
    assert len({tuple(chosen(subjects=1, images=2, seed=seed)[0]) for seed in range(8)}) > 1


def test_too_few_subjects_are_refused():
    with pytest.raises(ValueError, match="protocol distractors: 3 of 5 subjects have two images, and 2 others give"):
        chosen(subjects=4)
    with pytest.raises(ValueError, match="1 and 3 are needed: lower subjects or sizes"):
        chosen(sizes=[3])
