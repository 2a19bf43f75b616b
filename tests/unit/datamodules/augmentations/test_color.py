import colorsys

import numpy as np

from datamodules.augmentations.color import ColorConfig

OFF = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, "probability": 1.0}
FLAT = np.full((8, 6, 3), (150, 90, 60), np.uint8)


def many(image, **settings):
    augment = ColorConfig(**(OFF | settings)).build()
    return np.array([augment(image, seed)[0, 0] for seed in range(100)], float)


def test_with_nothing_to_change_nothing_changes():
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    assert all(np.array_equal(ColorConfig(**OFF).build()(image, seed), image) for seed in range(10))


def test_brightness_multiplies():
    factors = many(FLAT, brightness=0.2) / FLAT[0, 0]
    assert np.allclose(factors, factors[:, :1], atol=0.02)
    assert 0.79 < factors.min() < 0.85
    assert 1.15 < factors.max() < 1.21


def test_contrast_moves_away_from_the_images_mean():
    image = np.full((8, 8, 3), 100, np.uint8)
    image[:, 4:] = 140
    augment = ColorConfig(**(OFF | {"contrast": 0.5})).build()
    changed = [augment(image, seed).astype(int) for seed in range(60)]
    assert all(abs(one.mean() - 120) < 1.5 for one in changed)
    ranges = [one.max() - one.min() for one in changed]
    assert 19 < min(ranges) < 26
    assert 54 < max(ranges) < 61


def test_gray_stays_gray_whatever_happens_to_saturation_and_hue():
    assert (many(np.full((8, 6, 3), 77, np.uint8), saturation=0.9, hue=0.4) == 77).all()


def test_hue_turns_no_further_than_asked():
    start = colorsys.rgb_to_hsv(*(FLAT[0, 0] / 255.0))[0]
    turned = [colorsys.rgb_to_hsv(*(color / 255.0))[0] - start for color in many(FLAT, hue=0.05)]
    turned = [(turn + 0.5) % 1 - 0.5 for turn in turned]
    assert -0.06 < min(turned) < -0.03
    assert 0.03 < max(turned) < 0.06
