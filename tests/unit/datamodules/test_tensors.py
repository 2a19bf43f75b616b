"""Pixels as numbers in [-1, 1]."""

import numpy as np
import torch

from datamodules.tensors import tensors, to_tensor


def test_pixels_lie_between_minus_one_and_one():
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = (255, 127, 128)
    found = to_tensor(image)
    assert found.shape == (3, 2, 3)
    assert found.dtype == torch.float32
    assert found[:, 0, 0].tolist() == [-1, -1, -1]
    assert torch.allclose(found[:, 1, 2], torch.tensor([1.0, 127 / 127.5 - 1, 128 / 127.5 - 1]), atol=1e-7)


def test_images_are_stacked_in_their_order():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    found = tensors(images, "cpu")
    assert found.shape == (3, 3, 4, 5)
    assert all(torch.equal(one, to_tensor(image)) for one, image in zip(found, images, strict=True))
