"""How many images an explainer passes through a network at once.

On a CPU it is the number that the config gives. On a GPU small batches leave most of it idle, so the config's default stands
for as many images as the memory allows. Only the total memory counts, not what is free at the moment, so that equal GPUs give
equal numbers; any other number in the config is taken as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

LARGEST = 256  # more are hardly faster
SHARE = 8  # one in so many bytes of a GPU is for a batch: several cells may share the GPU
FORWARD = 1 << 10  # bytes per pixel of an image without gradients: four float32 feature maps of 64 channels
BACKWARD = 1 << 13  # with gradients, when every feature map is kept; iresnet50 needs 7 kB


def batch_of(config: Any, images: Tensor, count: int, backward: bool = False, divides: bool = False) -> int:
    """The batch for a config with a field ``batch``; arguments as ``batch_size``."""
    default = type(config).model_fields["batch"].default
    return batch_size(config.batch, images, count, backward, divides) if config.batch == default else config.batch


def batch_size(on_cpu: int, images: Tensor, count: int, backward: bool = False, divides: bool = False) -> int:
    """Images per pass: ``on_cpu`` on a CPU; on a GPU as many as its memory allows, in batches of nearly equal size.

    Args:
        images: (..., height, width), on the device of the network
        count: number of images to pass in all, at least 1
        backward: whether gradients are computed
        divides: whether the batch must divide ``count``
    """
    if images.device.type != "cuda":
        return on_cpu
    memory = torch.cuda.get_device_properties(images.device).total_memory
    most = images_that_fit(memory, images.shape[-2] * images.shape[-1], backward)
    return next(number for number in range(min(most, count), 0, -1) if count % number == 0) if divides else even(count, most)


def images_that_fit(memory: int, pixels: int, backward: bool) -> int:
    """Images of ``pixels`` pixels per pass on a GPU with ``memory`` bytes, from 1 to ``LARGEST``."""
    return max(1, min(LARGEST, memory // SHARE // ((BACKWARD if backward else FORWARD) * pixels)))


def even(count: int, most: int) -> int:
    """The smallest batch that needs no more batches than ``most`` at a time."""
    return -(-count // -(-count // most))
