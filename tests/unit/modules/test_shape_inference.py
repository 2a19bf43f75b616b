"""Shapes without weights."""

from typing import Any

import pytest
import torch
from torch import nn

from configs.lookup import resolve
from configs.network_interfaces import BackboneConfig
from modules.shape_inference import feature_shape, on_meta, stage_shapes


@pytest.mark.parametrize(
    ("name", "channels", "cells"),
    [
        ("alexnet", 256, {64: 1, 96: 2, 160: 4}),
        ("resnet34", 512, {64: 2, 96: 3, 160: 5}),
        ("efficientnet_b1", 320, {64: 2, 96: 3, 160: 5}),
        ("efficientnet_lite0", 1280, {64: 2, 96: 3, 160: 5}),
        ("efficientnet_lite1", 1280, {64: 2, 96: 3, 160: 5}),
        ("mobilenetv3_small", 576, {64: 2, 96: 3, 160: 5}),
    ],
)
def test_shapes_are_those_of_a_real_pass(name: str, channels: int, cells: dict[int, int]) -> None:
    config: Any = resolve("backbone", name)
    for size, cell in cells.items():
        assert feature_shape(config, size) == (channels, cell, cell)
    assert config.build().eval()(torch.zeros(1, 3, 64, 64)).shape[1:] == feature_shape(config, 64)


def test_stages_go_from_shallow_to_deep() -> None:
    config: Any = resolve("backbone", "resnet34")
    heights = [height for _, height, _ in stage_shapes(config, 160).values()]
    assert heights == [80, 40, 20, 10, 5]


def test_a_size_that_is_too_small_is_named_with_the_smallest_that_works() -> None:
    config: Any = resolve("backbone", "alexnet")
    with pytest.raises(ValueError, match=r"backbone alexnet cannot take images of 32 x 32 .*smallest that it takes is 63 x 63"):
        feature_shape(config, 32)
    assert feature_shape(config, 63) == (256, 1, 1)
    with pytest.raises(ValueError, match="cannot take images of 62 x 62"):
        feature_shape(config, 62)


def test_images_need_not_be_square() -> None:
    config: Any = resolve("backbone", "alexnet")
    for size in ((96, 160), (160, 96)):
        found = feature_shape(config, size)
        assert found == tuple(config.build()(torch.zeros(1, 3, *size)).shape[1:])
    assert feature_shape(config, (96, 160)) == (256, 2, 4)
    assert feature_shape(config, (160, 160)) == feature_shape(config, 160)


def test_a_rectangle_that_is_too_small_is_named_with_the_smallest_square_that_works() -> None:
    config: Any = resolve("backbone", "alexnet")
    with pytest.raises(ValueError, match=r"cannot take images of 160 x 40 pixels .*smallest square that it takes is 63 x 63"):
        feature_shape(config, (160, 40))


def test_a_network_of_one_size_says_which() -> None:
    config: Any = resolve("backbone", {"name": "timm", "model": "swin_tiny_patch4_window7_224"})
    with pytest.raises(ValueError, match=r"timm \(swin_tiny.*\) cannot take images of 160 x 160 .*takes is 224 x 224"):
        feature_shape(config, 160)


def test_no_weight_is_held_and_no_random_number_is_drawn() -> None:
    config: Any = resolve("backbone", {"name": "efficientnet_b1", "drop_path": 0.31})  # seen by no other test
    before = torch.get_rng_state()
    feature_shape(config, 96)
    assert torch.equal(torch.get_rng_state(), before)
    assert {value.device.type for value in on_meta(config).parameters()} == {"meta"}


def test_configs_that_differ_in_a_field_are_not_confused() -> None:
    one: Any = resolve("backbone", {"name": "timm", "model": "resnet18"})
    other: Any = resolve("backbone", {"name": "timm", "model": "resnet26"})
    assert feature_shape(one, 64) == (512, 2, 2)
    assert feature_shape(other, 64) == (2048, 2, 2)


class Staged(nn.Sequential):
    channels = 4

    def __init__(self, *layers: nn.Module, shown: slice = slice(None)) -> None:
        super().__init__(*layers)
        self.shown = shown

    def stages(self) -> dict[str, nn.Module]:
        return dict(list(self.named_children())[self.shown])


CONV = nn.Conv2d(3, 4, 3)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(CONV), "its network, a Sequential, has no channels and no stages; BackboneConfig in"),
        (Staged(CONV, nn.ReLU(), shown=slice(1)), "the output of its last stage is not its own output"),
        (Staged(CONV, nn.Flatten()), r"its stage 1 gives \(1, 15376\), not \(N, C, h, w\)"),
        (Staged(CONV, nn.ReLU(), shown=slice(None, None, -1)), r"its stages are \['1', '0'\], and they ran as \['0', '1'\]"),
    ],
)
def test_a_network_that_is_no_backbone_is_told(network: nn.Module, said: str) -> None:
    class Own(BackboneConfig):
        name: str = f"own.{hash(said)}"

        def build(self) -> Any:
            return network

    with pytest.raises(ValueError, match=rf"backbone own\.-?\d+: {said}"):
        stage_shapes(Own(), 64)


def test_a_backbone_whose_channels_differ_from_its_map_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = resolve("backbone", {"name": "alexnet"})
    monkeypatch.setattr(on_meta(config), "channels", 7)
    with pytest.raises(ValueError, match="backbone alexnet: its channels is 7, and its feature map has 256 channels"):
        feature_shape(config, (70, 90))
