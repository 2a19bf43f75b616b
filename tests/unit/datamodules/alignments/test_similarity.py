import numpy as np
import pytest

from datamodules.alignments.similarity import SimilarityConfig
from datamodules.detection import MISSED, Detection
from datamodules.geometry.cutting import cut, stand_in
from datamodules.geometry.fiducials import places

IMAGE = np.random.default_rng(0).integers(0, 256, (150, 170, 3), np.uint8)


def face(points):
    return Detection(True, (0, 0, 1, 1), 0.9, tuple((x, y) for x, y in np.asarray(points, float).tolist()))


@pytest.mark.parametrize("size", [(112, 112), (112, 96), (56, 40)])
def test_a_face_in_its_places_is_cut_unchanged(size):
    crop = SimilarityConfig().build().crop(IMAGE, face(np.add(places(size), (20, 10))), size)
    assert np.array_equal(crop, IMAGE[10 : 10 + size[0], 20 : 20 + size[1]])


def test_a_turned_image_gives_the_same_crop():
    points = np.add(places(112), (20, 10))
    turned = np.rot90(IMAGE).copy()  # (x, y) goes to (y, width - 1 - x)
    moved = np.column_stack([points[:, 1], IMAGE.shape[1] - 1 - points[:, 0]])
    crop = SimilarityConfig().build().crop(turned, face(moved), 112)
    assert np.array_equal(crop, IMAGE[10:122, 20:132])


def test_what_lies_outside_the_image_is_black():
    crop = SimilarityConfig().build().crop(np.full((100, 100, 3), 200, np.uint8), face(places(112) - (30, 20)), 112)
    assert (crop[:20] == 0).all()
    assert (crop[:, :30] == 0).all()
    assert (crop[20:, 30:] == 200).all()


def test_a_narrow_crop_is_the_middle_of_the_square_one():
    detection = face(places(112) * 1.21 + (7.3, 3.1))
    one, other = (SimilarityConfig().build().crop(IMAGE, detection, size) for size in ((112, 112), (112, 96)))
    off = np.abs(one[:, 8:104].astype(int) - other)
    assert off.max() <= 20  # of noise; OpenCV rounds places to 1/32 pixel
    assert off.mean() < 0.5


@pytest.mark.parametrize("size", [112, (112, 96), (40, 80)])
def test_a_face_that_was_not_found_is_cut_from_the_center_with_the_crops_aspect(size):
    crop = SimilarityConfig().build().crop(IMAGE, MISSED, size)
    assert np.array_equal(crop, stand_in(IMAGE, size))


def test_the_stand_in_is_as_tall_as_half_the_shorter_side():
    assert np.array_equal(stand_in(IMAGE, 75), cut(IMAGE, (47, 37, 122, 112), 75))
    assert np.array_equal(stand_in(IMAGE, (75, 60)), IMAGE[37:112, 54:114])
    assert np.array_equal(stand_in(IMAGE, (60, 75)), IMAGE[44:104, 47:122])


@pytest.mark.parametrize(
    ("points", "complaint"), [(np.zeros((0, 2)), "needs five landmarks"), (np.full((5, 2), 3.0), "one point")]
)
def test_a_face_without_useful_landmarks_is_refused(points, complaint):
    with pytest.raises(ValueError, match=f"alignment similarity.*{complaint}"):
        SimilarityConfig().build().crop(IMAGE, face(points), 112)
