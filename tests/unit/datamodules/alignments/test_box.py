import numpy as np
import pytest

from datamodules.alignments.box import BoxConfig
from datamodules.detection import MISSED, Detection
from datamodules.geometry.cutting import centered_square, cut

EMPTY = np.zeros((60, 80, 3), np.uint8)


@pytest.mark.parametrize("margin", [0, 20])
@pytest.mark.parametrize("box", [(80.3, 70.9, 165.2, 180.7), (-9.5, 30.0, 120.0, 260.0), (100.0, 100.0, 140.0, 150.0)])
def test_crops_are_those_of_facenet_pytorch(margin, box):
    from facenet_pytorch.models.utils.detect_face import extract_face

    image = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    found = BoxConfig(margin=margin).build().crop(image, Detection(True, box, 1.0), 64)
    peer = extract_face(image, np.array(box), 64, margin).permute(1, 2, 0).numpy()
    if min(box[2] - box[0], box[3] - box[1]) > 64:
        assert np.array_equal(found, peer)
    else:  # where the crop grows, only what is cut is the same: we interpolate linearly
        assert np.abs(found - peer).mean() < 12


@pytest.mark.parametrize("size", [40, 64, 160])
def test_the_margin_surrounds_the_box_in_pixels_of_the_crop(size):
    image = np.zeros((400, 400, 3), np.uint8)
    image[100:300, 100:300] = 255
    crop = BoxConfig(margin=20).build().crop(image, Detection(True, (100, 100, 300, 300), 1.0), size)
    inside = (crop[size // 2, :, 0] > 127).sum()
    assert abs(int(inside) - (size - 20)) <= 1


def test_a_margin_that_leaves_no_face_is_refused():
    with pytest.raises(ValueError, match="margin 64 must be smaller than the crop of 64"):
        BoxConfig(margin=64).build().crop(EMPTY, Detection(True, (0, 0, 9, 9), 1.0), 64)
    with pytest.raises(ValueError, match="margin"):
        BoxConfig(margin=-1)


def test_a_face_that_was_not_found_is_cut_from_the_center():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert np.array_equal(BoxConfig().build().crop(image, MISSED, 30), cut(image, centered_square(image, 0.5), 30))
