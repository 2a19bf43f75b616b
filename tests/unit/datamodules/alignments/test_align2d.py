import numpy as np
import pytest

from datamodules.alignments.align2d import Align2DConfig
from datamodules.detection import MISSED, Detection
from datamodules.geometry.cutting import stand_in
from datamodules.geometry.fiducials import PLACES
from datamodules.geometry.framing import frontal

IMAGE = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)


def face(points):
    return Detection(True, (0, 0, 1, 1), 0.9, tuple((x, y) for x, y in np.asarray(points, float).tolist()))


@pytest.mark.parametrize("size", [(152, 152), (100, 80)])
def test_a_face_in_its_places_is_cut_unchanged(size):
    crop = Align2DConfig().build().crop(IMAGE, face(np.add(frontal(size), (20, 30))), size)
    assert np.array_equal(crop, IMAGE[30 : 30 + size[0], 20 : 20 + size[1]])


def test_the_frame_is_looser_than_the_recognition_template():
    wide = np.ptp(frontal(112), axis=0)
    assert np.allclose(wide, 0.8 * np.ptp(PLACES, axis=0))
    assert np.allclose(frontal(112)[:2].mean(axis=0), (56, 0.42 * 112))
    assert frontal(152)[:, 1].max() < 0.75 * 152  # room for the chin


def test_a_face_that_was_not_found_is_cut_from_the_center():
    assert np.array_equal(Align2DConfig().build().crop(IMAGE, MISSED, 152), stand_in(IMAGE, 152))


def test_landmarks_are_needed():
    with pytest.raises(ValueError, match="alignment align2d needs five landmarks"):
        Align2DConfig().build().crop(IMAGE, Detection(True, (0, 0, 9, 9), 1.0), 152)
