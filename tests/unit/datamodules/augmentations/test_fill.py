import numpy as np

from datamodules.augmentations._fill import fill


def filled(box, how="black"):
    image = np.full((6, 8, 3), 200, np.uint8)
    fill(image, box, how, np.random.default_rng(0))
    return image


def test_only_the_box_is_filled():
    found = filled((2, 1, 5, 3))
    assert (found[1:3, 2:5] == 0).all()
    assert (found == 0).sum() == 3 * 2 * 3


def test_what_lies_outside_is_left_out():
    assert (filled((-3, -3, 2, 1)) == 0).sum() == 2 * 3
    assert (filled((7, 5, 99, 99)) == 0).sum() == 3
    for box in ((-5, 0, -1, 6), (0, -5, 8, -1), (8, 0, 12, 6), (0, 6, 8, 9)):
        assert (filled(box) == 200).all()


def test_noise_takes_every_value():
    image = np.zeros((64, 64, 3), np.uint8)
    fill(image, (0, 0, 64, 64), "noise", np.random.default_rng(0))
    counts = np.bincount(image.ravel(), minlength=256)
    assert counts.min() > 20
    assert (np.ptp(image, axis=2) > 0).mean() > 0.99  # each channel of its own


def test_the_mean_is_the_images():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2] = (100, 50, 31)
    fill(image, (0, 0, 1, 1), "mean", np.random.default_rng(0))
    assert image[0, 0].tolist() == [50, 25, 16]
