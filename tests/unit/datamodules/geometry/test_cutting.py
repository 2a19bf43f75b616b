import cv2
import numpy as np
import pytest

from datamodules.geometry.cutting import centered_square, cut

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def test_a_cut_of_the_right_size_is_untouched():
    assert np.array_equal(cut(IMAGE, (5, 6, 15, 16), 10), IMAGE[6:16, 5:15])


def test_shrinking_by_four_averages_sixteen_pixels():
    found = cut(IMAGE, (0, 0, 40, 40), 10)
    mean = IMAGE[:40, :40].reshape(10, 4, 10, 4, 3).mean(axis=(1, 3))
    assert np.abs(found - mean).max() <= 0.5


def test_growing_interpolates_linearly():
    assert np.array_equal(cut(IMAGE, (0, 0, 5, 30), 10), cv2.resize(IMAGE[:30, :5], (10, 10), interpolation=cv2.INTER_LINEAR))


def test_an_empty_box_is_our_own_bug():
    with pytest.raises(AssertionError, match="empty box"):
        cut(IMAGE, (5, 5, 5, 9), 10)


def test_the_centered_square_goes_by_the_shorter_side():
    assert centered_square(IMAGE, 0.5) == (20, 10, 40, 30)
    assert centered_square(IMAGE, 1.0) == (10, 0, 50, 40)
    assert centered_square(IMAGE[:1, :1], 0.5) == (0, 0, 1, 1)
