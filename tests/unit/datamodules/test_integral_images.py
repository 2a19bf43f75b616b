"""Averages of a batch are bit for bit those of each image."""

import numpy as np
import pytest
import torch

from datamodules import integral_images
from datamodules.integral_image import IntegralImage
from datamodules.integral_images import IntegralImages

RNG = np.random.default_rng(0)
CPU = torch.device("cpu")


def drawn(*sizes):
    return [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.mark.parametrize("exact", [1, 2**31 // 255])  # sums in 64 and in 32 bits
def test_whole_images_are_resized_as_each_by_itself_and_padding_is_black(monkeypatch, exact):
    monkeypatch.setattr(integral_images, "EXACT", exact)
    images = drawn((50, 40), (50, 40), (31, 77), (8, 9))
    of, sizes = [0, 2, 3], [(12, 13), (20, 7), (8, 9)]
    found = IntegralImages(images, CPU).whole(torch.tensor(of), torch.tensor(sizes)).permute(0, 2, 3, 1).numpy()
    assert found.shape == (3, 20, 13, 3)
    for row, place, (height, width) in zip(found, of, sizes, strict=True):
        assert np.array_equal(row[:height, :width], IntegralImage(images[place]).whole(height, width))
        assert (row[height:] == -127.5 / 128).all()
        assert (row[:, width:] == -127.5 / 128).all()


def test_parts_are_those_of_each_image_inside_and_outside_of_it():
    images = drawn((50, 40), (31, 77))
    corner = RNG.integers(-30, 60, (40, 2))
    boxes = np.concatenate([corner, corner + RNG.integers(1, 50, (40, 2))], axis=1)
    of = RNG.integers(0, 2, 40)
    found = IntegralImages(images, CPU).parts(torch.from_numpy(of), torch.from_numpy(boxes), 24).permute(0, 2, 3, 1).numpy()
    for row, place, box in zip(found, of, boxes, strict=True):
        assert np.array_equal(row, IntegralImage(images[place]).parts(box[None], 24)[0])


def test_flipped_and_read_only_images_are_taken_without_a_warning(recwarn):
    (image,) = drawn((30, 40))
    fixed = image.copy()
    fixed.flags.writeable = False
    found = IntegralImages([image[:, ::-1], image[..., ::-1], fixed], CPU)
    whole = found.whole(torch.arange(3), torch.tensor([(7, 9)] * 3)).permute(0, 2, 3, 1).numpy()
    for one, other in zip(whole, (image[:, ::-1], image[..., ::-1], image), strict=True):
        assert np.array_equal(one, IntegralImage(other).whole(7, 9))
    assert not recwarn.list


def test_images_are_channels_last_for_the_networks():
    areas = IntegralImages(drawn((20, 20), (10, 20)), CPU)
    whole = areas.whole(torch.tensor([0, 1]), torch.tensor([(20, 20), (10, 20)]))
    assert whole.is_contiguous(memory_format=torch.channels_last)


def test_sums_of_large_rectangles_do_not_overflow():
    white = np.full((300, 400, 3), 255, np.uint8)
    found = IntegralImages([white], CPU).whole(torch.tensor([0]), torch.tensor([(2, 2)]))
    assert torch.allclose(found, torch.tensor(127.5 / 128), atol=1e-6)
