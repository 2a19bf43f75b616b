import pickle
from pathlib import Path

import numpy as np
import pytest

from datamodules.datasets.drawn import DrawnDatasetConfig
from datamodules.datasets.transformed import TransformedDatasetConfig
from datamodules.synthetic_faces.drawn_faces import DrawnFaces, identity, key

CACHE = Path("never written")


def faces(**settings) -> DrawnFaces:
    config = DrawnDatasetConfig(**({"subjects": 3, "shots": 3, "size": 96} | settings))
    return config.build(config.manifest(CACHE))


@pytest.fixture(scope="module")
def alike() -> DrawnFaces:
    return faces(look_alikes=15)


@pytest.fixture(scope="module", params=["mask", "sunglasses"])
def worn(request) -> DrawnFaces:
    return faces(occluder=request.param)


def row_of(drawn: DrawnFaces, number: int, part: str | None, index: int, occluder="none") -> int:
    return drawn.manifest.keys.index(key(identity(number, part), index, occluder))


@pytest.mark.parametrize("part", ["eyes", "brows", "nose", "mouth", "hair"])
def test_a_look_alike_truly_differs_where_the_same_shot_of_both_subjects_does(alike, part):
    """By the images themselves, which ``differing`` does not compare; the other image may be any shot."""
    for number in range(3):
        for index in (0, 2):
            base, other = row_of(alike, number, None, index), row_of(alike, number, part, index)
            unlike = (alike.image(base) != alike.image(other)).any(axis=2)
            region = alike.differing(base, row_of(alike, number, part, 1))
            assert region.dtype == bool
            assert region.shape == (96, 96)
            assert not (unlike & ~region).any()
            assert np.array_equal(region, alike.region(base, part) | alike.region(other, part))
            assert np.array_equal(region, alike.differing(other, row_of(alike, number, None, 1)))


def test_two_look_alikes_of_one_subject_differ_in_both_parts(alike):
    one, other = row_of(alike, 0, "nose", 0), row_of(alike, 0, "mouth", 1)
    nose, mouth = (alike.differing(row_of(alike, 0, part, 0), row_of(alike, 0, None, 1)) for part in ("nose", "mouth"))
    found = alike.differing(one, other)
    assert (found & nose).sum() > 0.9 * nose.sum()
    assert (found & mouth).sum() > 0.9 * mouth.sum()
    assert not (found & ~nose & ~mouth).any()


def test_the_same_subject_and_a_stranger_have_no_known_difference(alike):
    assert alike.differing(row_of(alike, 0, None, 0), row_of(alike, 0, None, 1)) is None
    assert alike.differing(row_of(alike, 0, None, 0), row_of(alike, 1, None, 0)) is None
    assert alike.differing(row_of(alike, 0, None, 0), row_of(alike, 1, "eyes", 0)) is None
    assert alike.differing(row_of(alike, 0, "eyes", 0), row_of(alike, 0, "eyes", 1)) is None


def test_an_occluded_face_truly_differs_in_the_occluder_and_the_other_where_it_would_cover(worn):
    occluder = worn.config.occluder
    for number in range(3):
        plain, wearing = row_of(worn, number, None, 0), row_of(worn, number, None, 1, occluder)
        here = worn.differing(wearing, plain)
        assert np.array_equal(here, worn.region(wearing, "occluder"))
        there = worn.differing(plain, wearing)
        assert np.array_equal(there, worn.region(row_of(worn, number, None, 0, occluder), "occluder"))
        assert worn.region(plain, "occluder").sum() == 0
        assert worn.differing(wearing, row_of(worn, number, None, 2, occluder)) is None


def test_every_shot_of_every_subject_is_there_with_the_occluder_and_look_alikes_without():
    plain, more = faces(look_alikes=2).manifest, faces(look_alikes=2, occluder="mask").manifest
    assert more.keys[: len(plain)] == plain.keys
    assert more.digests[: len(plain)] == plain.digests
    assert more.keys[len(plain) :] == tuple(f"person-{n:05d}/shot-{k:03d}-mask" for n in range(3) for k in range(3))
    assert more.identities[len(plain) :] == plain.identities[:9]
    assert len(set(more.digests)) == len(more)


def test_a_pickled_dataset_draws_the_same_images(alike, worn):
    for drawn in (alike, worn):
        drawn.image(0)  # its cache is not empty
        part = drawn.config.build(drawn.manifest.subset([4, 2, 0]))
        for dataset in (drawn, part):
            other = pickle.loads(pickle.dumps(dataset))
            assert other.manifest == dataset.manifest
            assert all(np.array_equal(other.image(row), dataset.image(row)) for row in range(len(part)))
    jpeg = TransformedDatasetConfig(data=alike.config, transforms=[{"name": "jpeg", "quality": 50}])
    coded = jpeg.build(jpeg.manifest(CACHE))
    assert np.array_equal(pickle.loads(pickle.dumps(coded)).image(0), coded.image(0))
