"""MobileNetV3-Small."""

import torch

from modules.backbones.mobilenetv3_small import MobileNetV3SmallConfig
from modules.shape_inference import stage_shapes


def test_every_weight_takes_part_in_the_map() -> None:
    backbone = MobileNetV3SmallConfig().build()
    backbone(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, value in backbone.named_parameters() if value.grad is None] == []


def test_the_map_has_576_channels() -> None:
    assert list(stage_shapes(MobileNetV3SmallConfig(), 96).values())[-1] == (576, 3, 3)


def test_no_imagenet_weights_are_pinned() -> None:
    assert MobileNetV3SmallConfig().weights_of("imagenet") is None
