"""Zhong's modified ResNet."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from modules.backbones.zhong_resnet import ZhongResNetConfig
from modules.shape_inference import feature_shape, stage_shapes


def test_faces_of_104_x_96_end_as_6_x_6_cells() -> None:
    assert stage_shapes(ZhongResNetConfig(), (104, 96)) == {
        "stem": (32, 104, 96),
        "layers.0": (64, 52, 48),
        "layers.1": (128, 26, 24),
        "layers.2": (256, 13, 12),
        "layers.3": (512, 6, 6),
    }


def test_it_has_27_convolutions_by_default() -> None:
    convolutions = [module for module in ZhongResNetConfig().build().modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 27
    by_hand = 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    by_hand += 9 * 2 * (1 * 64**2 + 2 * 128**2 + 5 * 256**2 + 3 * 512**2)
    assert sum(module.weight.numel() for module in convolutions) == by_hand


def test_a_unit_adds_two_layers_to_what_they_see() -> None:
    net = ZhongResNetConfig(units=(1,), width=4, norm="none").build()
    unit = net.layers[0][2]
    features = torch.randn(1, 4, 3, 3)
    inner = features
    for layer in unit.body:
        inner = torch.relu(torch.nn.functional.conv2d(inner, layer[0].weight, layer[0].bias, padding=1))
    torch.testing.assert_close(unit(features), features + inner)


@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_weight_has_a_gradient_and_signals_stay_in_range(activation: str, norm: str) -> None:
    torch.manual_seed(0)
    net = ZhongResNetConfig(width=8, activation=activation, norm=norm).build()
    features = net(torch.rand(4, 3, 32, 32) * 2 - 1)
    assert features.shape == (4, 64, 2, 2)
    assert 0.1 < features.std().item() < 100
    features.square().mean().backward()
    assert [name for name, value in net.named_parameters() if value.grad is None or not value.grad.any()] == []
    assert any(isinstance(module, nn.PReLU) for module in net.modules()) == (activation == "prelu")
    assert any(isinstance(module, nn.BatchNorm2d) for module in net.modules()) == (norm == "batch")


def test_too_small_images_and_no_stage_are_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot take images of 8 x 96 pixels .*smallest square that it takes is 16 x 16"):
        feature_shape(ZhongResNetConfig(), (8, 96))
    with pytest.raises(ValidationError, match="at least 1 item"):
        ZhongResNetConfig(units=())
