"""JPEG compression as a transform of a protocol."""

import numpy as np
import pytest

from configs.lookup import resolve


def _photo() -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    smooth = np.stack([rows * 3, columns * 2, 255 - rows * 2], axis=2)
    return np.clip(smooth + np.random.default_rng(0).normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def test_it_is_a_pure_function_that_keeps_the_shape():
    photo = _photo()
    before = photo.copy()
    made = resolve("transform", {"name": "jpeg", "quality": 30}).build()
    first = made(photo)
    assert (first.shape, first.dtype) == (photo.shape, np.uint8)
    assert (made(photo) == first).all()
    assert (photo == before).all()


def test_a_lower_quality_changes_the_image_more():
    photo = _photo()
    errors = [
        float(np.abs(resolve("transform", {"name": "jpeg", "quality": one}).build()(photo).astype(int) - photo).mean())
        for one in (90, 50, 10)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_channels_keep_their_order():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert resolve("transform", {"name": "jpeg", "quality": 90}).build()(red).reshape(-1, 3).mean(0).argmax() == 0


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_outside_of_the_scale_is_refused(quality):
    with pytest.raises(ValueError, match="quality"):
        resolve("transform", {"name": "jpeg", "quality": quality})
