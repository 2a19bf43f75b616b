import numpy as np

from datamodules.augmentations.rotate import RotateConfig


def test_a_point_moves_on_a_circle_around_the_middle():
    image = np.zeros((81, 61, 3), np.uint8)
    image[39:42, 49:52] = 255  # 20 pixels right of the middle
    augment = RotateConfig(degrees=30, probability=1).build()
    angles = []
    for seed in range(80):
        light = augment(image, seed)[..., 0].astype(float)
        y, x = (np.average(place, weights=light) for place in np.mgrid[:81, :61])
        assert abs(np.hypot(y - 40, x - 30) - 20) < 0.5
        angles.append(np.degrees(np.arctan2(y - 40, x - 30)))
    assert -31 < min(angles) < -20
    assert 20 < max(angles) < 31
    assert 8 < np.abs(angles).mean() < 22  # uniform: 15


def test_corners_are_filled_with_the_mirrored_image():
    white = np.full((40, 60, 3), 255, np.uint8)
    assert all((RotateConfig(degrees=45, probability=1).build()(white, seed) == 255).all() for seed in range(10))
