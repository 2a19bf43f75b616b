import numpy as np

from datamodules.augmentations.none import NoAugmentationConfig


def test_an_image_is_left_alone():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert np.array_equal(NoAugmentationConfig().build()(image, 1), image)
