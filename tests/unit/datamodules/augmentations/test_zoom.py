import numpy as np

from datamodules.augmentations.zoom import ZoomConfig


def test_distances_grow_by_the_factor_and_the_middle_stays():
    image = np.zeros((81, 101, 3), np.uint8)
    for x in (35, 65):
        image[39:42, x - 1 : x + 2] = 255
    augment = ZoomConfig(factor=(0.8, 1.25), probability=1).build()
    factors = []
    for seed in range(80):
        light = augment(image, seed)[20:61, :, 0].astype(float)
        assert abs(np.average(np.mgrid[20:61, :101][0], weights=light) - 40) < 0.3
        places = np.arange(101)
        left, right = (np.average(places[part], weights=light.sum(0)[part]) for part in (slice(0, 50), slice(51, 101)))
        assert abs((left + right) / 2 - 50) < 0.3
        factors.append((right - left) / 30)
    assert 0.78 < min(factors) < 0.85
    assert 1.18 < max(factors) < 1.27


def test_width_and_height_grow_alike():
    ys, xs = np.mgrid[:81, :81]
    disc = np.repeat((255 * (np.hypot(ys - 40, xs - 40) < 15)).astype(np.uint8)[..., None], 3, 2)
    augment = ZoomConfig(factor=(0.5, 2.0), probability=1).build()
    for seed in range(40):
        seen = augment(disc, seed)[..., 0] > 127
        assert abs(int(seen.any(0).sum()) - int(seen.any(1).sum())) <= 1


def test_borders_are_filled_with_the_mirrored_image():
    white = np.full((40, 60, 3), 255, np.uint8)
    assert all((ZoomConfig(factor=(0.5, 0.6), probability=1).build()(white, seed) == 255).all() for seed in range(10))
