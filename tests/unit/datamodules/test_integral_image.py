import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from datamodules import integral_image
from datamodules.integral_image import IntegralImage

IMAGE = np.random.default_rng(0).integers(0, 256, (53, 71, 3), np.uint8)


def peer(image, height, width):
    """torch's, which facenet-pytorch uses."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    found = (interpolate(pixels, size=(height, width), mode="area") - 127.5) * 0.0078125
    return found[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("size", [(53, 71), (32, 43), (12, 16), (80, 90), (1, 1)])
def test_the_whole_image_is_shrunk_as_torch_does(size):
    assert np.allclose(IntegralImage(IMAGE).whole(*size), peer(IMAGE, *size), atol=1e-5)


def test_a_part_is_what_the_part_alone_would_be():
    boxes = np.array([(3, 4, 40, 50), (0, 0, 71, 53), (10, 20, 15, 24), (60, 40, 61, 41)])
    found = IntegralImage(IMAGE).parts(boxes, 24)
    for (x0, y0, x1, y1), part in zip(boxes, found, strict=True):
        assert np.allclose(part, peer(IMAGE[y0:y1, x0:x1], 24, 24), atol=1e-5)


@pytest.mark.parametrize("box", [(-10, -6, 30, 34), (50, 30, 90, 70), (-20, 10, -5, 25), (-5, -5, 80, 80)])
def test_outside_the_image_a_part_is_black(box):
    x0, y0, x1, y1 = box
    wide = np.pad(IMAGE, ((100, 100), (100, 100), (0, 0)))
    (found,) = IntegralImage(IMAGE).parts(np.array([box]), 24)
    assert np.allclose(found, peer(wide[y0 + 100 : y1 + 100, x0 + 100 : x1 + 100], 24, 24), atol=1e-5)


def test_images_whose_sums_outgrow_32_bits_are_the_same(monkeypatch):
    small = IntegralImage(IMAGE).whole(20, 20)
    monkeypatch.setattr(integral_image, "EXACT", 0)
    assert np.array_equal(IntegralImage(IMAGE).whole(20, 20), small)
    white = np.full((10, 10, 3), 255, np.uint8)
    assert np.allclose(IntegralImage(white).whole(2, 2), 127.5 / 128)
