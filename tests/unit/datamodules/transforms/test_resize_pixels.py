"""Resizing to a number of pixels."""

import numpy as np
import pytest

from configs.lookup import resolve


@pytest.mark.parametrize(
    ("shape", "pixels", "expected"),
    [((250, 250), 1600, (40, 40)), ((250, 250), 65536, (256, 256)), ((100, 400), 1600, (20, 80)), ((1, 900), 9, (1, 90))],
)
def test_the_image_has_the_number_of_pixels_and_its_aspect_ratio(shape, pixels, expected):
    config = resolve("transform", {"name": "resize_pixels", "pixels": pixels})
    assert config.shape(*shape) == expected
    assert config.build()(np.zeros((*shape, 3), np.uint8)).shape == (*expected, 3)


def test_shrinking_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    made = resolve("transform", {"name": "resize_pixels", "pixels": 400}).build()(image)
    assert np.abs(made - image.reshape(20, 2, 20, 2, 3).mean((1, 3))).max() <= 1
