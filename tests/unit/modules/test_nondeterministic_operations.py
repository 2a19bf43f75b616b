"""Which operations of a network have no deterministic form on CUDA."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from modules.nondeterministic_operations import NAMES, nondeterministic_operations

PLACES = torch.empty(2, 8, 8, 2, device="meta")


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3, device="meta"), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)), []),
        (nn.AdaptiveAvgPool2d(3), ["the gradient of AdaptiveAvgPool2d"]),
        (nn.AdaptiveMaxPool2d(3), ["the gradient of AdaptiveMaxPool2d"]),
        (nn.LocalResponseNorm(5), ["the gradient of AvgPool3d"]),
        (nn.ReflectionPad2d(1), ["the gradient of ReflectionPad2d"]),
        (nn.ReplicationPad2d(1), []),
        (nn.Upsample(scale_factor=2, mode="nearest"), []),
        (nn.Upsample(scale_factor=2, mode="bilinear"), []),
        (nn.Upsample(scale_factor=2, mode="bicubic"), ["the gradient of bicubic interpolation"]),
        (lambda images: functional.grid_sample(images, PLACES, align_corners=False), ["the gradient of grid_sample"]),
        (lambda images: functional.max_unpool2d(*functional.max_pool2d(images, 2, return_indices=True), 2), ["MaxUnpool2d"]),
    ],
    ids=lambda value: type(value).__name__ if callable(value) else " and ".join(value) or "none",
)  # fmt: skip
def test_they_are_found_in_modules_and_functions(function, found):
    before = torch.are_deterministic_algorithms_enabled()
    assert nondeterministic_operations(function, (2, 3, 8, 8)) == found
    assert torch.are_deterministic_algorithms_enabled() == before


def test_every_name_is_an_operation_of_torch():
    assert not [name for name in NAMES if not hasattr(torch.ops.aten, name)]
