import numpy as np
import pytest

from datamodules.datasets.drawn import DrawnDatasetConfig
from datamodules.synthetic_faces.drawing import draw
from datamodules.synthetic_faces.drawn_faces import REGIONS
from datamodules.synthetic_faces.features import PARTS
from datamodules.synthetic_faces.occluders import OCCLUDERS
from datamodules.synthetic_faces.population import subject
from datamodules.synthetic_faces.shot import shot


def samples(occluder: str, subjects: int = 6, shots: int = 2, variation: float = 1.0):
    """(plain, wearing, mask of the occluder, labels of the plain image) of each."""
    config = DrawnDatasetConfig(subjects=subjects, shots=shots, size=128, variation=variation, occluder=occluder)
    drawn = config.build(config.manifest(None))
    for row in range(subjects * shots):
        other = row + subjects * shots
        yield drawn.image(row), drawn.image(other), drawn.region(other, "occluder"), drawn.mask(row)


def covered(occluder: str, part: str) -> float:
    """The share of a part that the occluder hides, in the mean."""
    labels = [PARTS.index(name) for name in REGIONS.get(part, (part,))]
    return float(
        np.mean(
            [(where & np.isin(mask, labels)).sum() / np.isin(mask, labels).sum() for _, _, where, mask in samples(occluder)]
        )
    )


@pytest.mark.parametrize("occluder", sorted(OCCLUDERS))
def test_images_with_and_without_differ_inside_the_occluder_and_nowhere_else(occluder):
    for plain, wearing, where, _ in samples(occluder):
        unlike = (plain != wearing).any(axis=2)
        assert not (unlike & ~where).any()
        assert (unlike & where).sum() > 0.97 * where.sum()
        assert 0.01 < where.mean() < 0.3


def test_a_mask_hides_mouth_and_nose_and_leaves_the_eyes():
    assert covered("mask", "mouth") > 0.97
    assert covered("mask", "nose") > 0.7
    assert covered("mask", "eyes") < 0.1


def test_sunglasses_hide_the_eyes_and_leave_the_mouth():
    assert covered("sunglasses", "eyes") > 0.8
    assert covered("sunglasses", "mouth") == 0


@pytest.mark.parametrize("occluder", sorted(OCCLUDERS))
def test_an_occluder_hides_what_the_face_is_like_below_it(occluder):
    """Two subjects who differ in what it covers alone show the same occluder."""
    from dataclasses import replace

    one, other = subject(0, 3), subject(0, 4)
    swapped = {"mask": {"mouth": other.mouth}, "sunglasses": {"eyes": replace(one.eyes, color=(20.0, 200.0, 20.0), iris=0.07)}}
    taken = shot(0, 3, 0, 0.0)
    drawn = [draw(each, taken, 128, occluder) for each in (one, replace(one, **swapped[occluder]))]
    bare = [draw(each, taken, 128) for each in (one, replace(one, **swapped[occluder]))]
    inside = drawn[0].mask == PARTS.index("occluder")
    assert (bare[0].image != bare[1].image)[inside].any()
    assert np.array_equal(drawn[0].image[inside], drawn[1].image[inside])


@pytest.mark.parametrize("occluder", sorted(OCCLUDERS))
def test_an_occluder_follows_the_head(occluder):
    from dataclasses import replace

    taken = shot(0, 0, 0, 0.0)
    centers = []
    for turned in (taken, replace(taken, yaw=0.4), replace(taken, roll=0.4), replace(taken, x=0.6)):
        where = draw(subject(0, 0), turned, 128, occluder).mask == PARTS.index("occluder")
        rows, columns = np.nonzero(where)
        slope = np.polyfit(columns, rows, 1)[0]
        centers.append((columns.mean(), slope))
    (straight, flat), (yawed, _), (_, rolled), (moved, _) = centers
    assert yawed > straight + 3
    assert abs(flat) < 0.05
    assert rolled > 0.15
    assert moved == pytest.approx(straight + 0.1 * 128, abs=1)
