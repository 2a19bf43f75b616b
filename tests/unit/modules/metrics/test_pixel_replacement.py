import numpy as np
import pytest
import torch
from torch.nn import functional

from modules.metrics.pixel_replacement import AHEAD, Settings, area, blurred, course, order, to_images


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_maps_are_enlarged_as_torch_does_with_half_pixel_centers():
    maps = random(3, 4, 5)
    expected = functional.interpolate(torch.from_numpy(maps)[:, None], size=(17, 12), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(to_images(maps, (17, 12)), expected[:, 0].numpy(), atol=1e-12)
    np.testing.assert_array_equal(to_images(maps, (4, 5)), maps)


def test_a_constant_map_stays_constant():
    """Rounding would rank its pixels."""
    for value in random(20).astype(np.float32):
        for shape in ((7, 6), (1, 1), (1, 6), (7, 1), (2, 2)):
            assert np.unique(to_images(np.full((1, *shape), value), (112, 97))).size == 1


def test_a_single_row_or_column_is_repeated():
    maps = random(2, 1, 5)
    wide = to_images(maps, (112, 97))
    assert (wide == wide[:, :1]).all()
    expected = functional.interpolate(torch.from_numpy(maps)[:, None], size=(112, 97), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(wide, expected[:, 0].numpy(), atol=1e-12)
    tall = to_images(maps.transpose(0, 2, 1), (112, 97))
    assert (tall == tall[:, :, :1]).all()


def test_maps_with_nan_are_refused():
    with pytest.raises(ValueError, match="1 of 2 maps"):
        to_images(np.array([[[0.0]], [[np.nan]]]), (1, 1))


def test_the_least_important_pixel_comes_first():
    maps = random(2, 3, 4)
    found = order(maps, 0)
    for one, pixels in zip(maps, found, strict=True):
        assert sorted(pixels) == list(range(12))
        assert (np.diff(one.ravel()[pixels]) > 0).all()


def test_ties_follow_a_seeded_order_for_each_image_and_side():
    maps = np.repeat(np.array([[[0.0] * 6, [1.0] * 6]]), 2, axis=0)
    for side in (0, 1):
        found = order(maps, 5, side)
        for row in (0, 1):
            ranks = np.random.default_rng([5, side, row]).permutation(12)
            expected = sorted(range(6), key=ranks.__getitem__)
            expected += sorted(range(6, 12), key=ranks.__getitem__)
            assert list(found[row]) == expected
    assert len({tuple(one) for seed in (5, 6) for side in (0, 1) for one in order(maps, seed, side)}) == 8


def test_the_blur_is_the_sum_of_its_definition():
    """At 4 sigma the kernel is cut; beyond the border the image is mirrored, the border pixel twice."""
    image, sigma = random(1, 3, 6, 5), 0.9
    reach = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    found = blurred(image, sigma)

    def mirrored(place, side):
        place %= 2 * side
        return place if place < side else 2 * side - 1 - place

    for i in range(6):
        for j in range(5):
            total = 0.0
            for a, first in enumerate(kernel):
                for b, second in enumerate(kernel):
                    total += first * second * image[0, 1, mirrored(i + a - reach, 6), mirrored(j + b - reach, 5)]
            assert found[0, 1, i, j] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_course_replaces_pixel_by_pixel(batch):
    images, hidden = random(3, 3, 4, 5), random(3, 3, 4, 5, seed=1)
    orders = order(random(3, 4, 5, seed=2), 0)
    shapes = set()

    def values(block, rows):
        shapes.add(block.shape)
        return np.stack([block.sum((1, 2, 3)), block[:, 0, 1, 2] * (rows + 1)], 1)

    shares = (0.0, 0.3, 1.0)
    found = course(values, images, hidden, orders, shares, batch)
    assert shapes == {(batch, 3, 4, 5)}
    for at, share in enumerate(shares):
        for row in range(3):
            altered = images[row].copy()
            for pixel in orders[row][: round(share * 20)]:
                altered[:, pixel // 5, pixel % 5] = hidden[row][:, pixel // 5, pixel % 5]
            assert found[at, row] == pytest.approx([altered.sum(), altered[0, 1, 2] * (row + 1)], abs=1e-12)


def test_numbers_may_be_read_later_but_not_of_many_batches():
    images, hidden, orders = random(3, 3, 4, 5), random(3, 3, 4, 5, seed=1), order(random(3, 4, 5, seed=2), 0)
    started, finished, waiting = [], [], []

    def now(block, rows):
        return block.sum((1, 2, 3))

    def later(block, rows):
        number = len(started)
        started.append(number)
        waiting.append(len(started) - len(finished))
        return lambda: finished.append(number) or now(block, rows)

    shares = (0.0, 0.3, 1.0)
    found = course(later, images, hidden, orders, shares, 2)
    assert finished == started == list(range(5))  # 9 images, 2 at a time
    assert max(waiting) == AHEAD + 1
    np.testing.assert_array_equal(found, course(now, images, hidden, orders, shares, 2))


def test_the_area_is_the_trapezoids_over_the_span():
    assert area(np.array([1.0, 0.5, 0.0]), (0, 0.25, 1)) == pytest.approx((0.75 * 0.25 + 0.25 * 0.75) / 1)
    assert area(np.full((4, 2), 0.7), (0, 0.1, 0.4, 1)) == pytest.approx([0.7, 0.7])


def test_shares_rise_from_0_to_1():
    assert Settings().shares == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
    for shares in ((0.1, 1.0), (0.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.0,)):
        with pytest.raises(ValueError, match="rise"):
            Settings(shares=shares)
