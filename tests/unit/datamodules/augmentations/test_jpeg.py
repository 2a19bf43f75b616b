import io

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules.augmentations.jpeg import JPEGConfig

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
IMAGE = cv2.GaussianBlur(NOISE, (0, 0), 1.5)
IMAGE[8:24, 8:40] = (220, 30, 20)  # red, which an encoder that takes it for blue would keep less well


def pillow(quality):
    stream = io.BytesIO()
    Image.fromarray(IMAGE).save(stream, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(stream)).astype(int)


@pytest.mark.parametrize("quality", [10, 40, 80])
def test_it_loses_what_another_encoder_loses(quality):
    found = JPEGConfig(quality=(quality, quality), probability=1).build()(IMAGE, 0).astype(int)
    assert np.abs(found - pillow(quality)).mean() < 0.1
    assert np.abs(found - IMAGE).mean() > 1


def test_qualities_are_drawn_from_the_whole_range():
    exact = {
        quality: JPEGConfig(quality=(quality, quality), probability=1).build()(IMAGE, 0).tobytes() for quality in (30, 31, 32)
    }
    augment = JPEGConfig(quality=(30, 32), probability=1).build()
    assert {augment(IMAGE, seed).tobytes() for seed in range(40)} == set(exact.values())


@pytest.mark.parametrize("quality", [(0, 50), (50, 101)])
def test_a_quality_is_from_1_to_100(quality):
    with pytest.raises(ValueError, match="quality"):
        JPEGConfig(quality=quality)
