import numpy as np
import pytest

from datamodules.augmentations.cutout import CutoutConfig

WHITE = np.full((60, 40, 3), 255, np.uint8)


def holes(image, **settings):
    augment = CutoutConfig(**({"probability": 1.0} | settings)).build()
    for seed in range(200):
        changed = augment(image, seed)
        rows, columns = np.nonzero((changed != image).any(axis=2))
        yield changed, (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)


def test_it_is_one_square_whose_middle_is_anywhere():
    middles = set()
    for changed, (top, bottom, left, right) in holes(WHITE, side=0.3):
        assert (changed[top:bottom, left:right] == 128).all()
        assert (bottom - top == 12) or top == 0 or bottom == 60
        assert (right - left == 12) or left == 0 or right == 40
        assert bottom - top >= 6  # the middle is inside
        assert right - left >= 6
        middles.add((top, left))
    assert len(middles) > 150
    assert any(bottom - top < 12 for _, (top, bottom, _, _) in holes(WHITE, side=0.3))


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("gray", 128), ("mean", 200)])
def test_it_is_filled_as_asked(fill, value):
    image = np.full((20, 20, 3), 200, np.uint8)
    image[:10], image[10:] = 190, 210
    augment = CutoutConfig(probability=1.0, fill=fill).build()
    for seed in range(10):
        changed = augment(image, seed)
        assert (changed[changed != image] == value).all()


def test_a_square_as_large_as_the_image_is_allowed():
    assert CutoutConfig(side=1.0, probability=1.0).build()(WHITE, 0).shape == WHITE.shape
