"""Any timm network."""

import pytest
import torch

from modules.backbones.timm import TimmConfig
from modules.shape_inference import on_meta, stage_shapes


def test_an_unknown_model_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'resnet5O'; nearest: .*resnet50"):
        TimmConfig(model="resnet5O").build()


def test_a_model_that_would_be_downloaded_is_unknown() -> None:
    with pytest.raises(ValueError, match="unknown model 'hf-hub:someone/net'"):
        TimmConfig(model="hf-hub:someone/net").build()


def test_an_unknown_tag_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"resnet34 has no tag 'nope'; known: .*resnet34\.tv_in1k"):
        TimmConfig(model="resnet34.nope").build()


@pytest.mark.parametrize("model", ["vit_tiny_patch16_224", "mixer_s32_224", "coat_tiny"])
def test_a_model_without_a_spatial_map_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match=f"{model}.*no spatial feature map"):
        TimmConfig(model=model).build()


def test_stages_are_those_of_timm() -> None:
    shapes = stage_shapes(TimmConfig(model="resnet18"), 96)
    assert shapes == {
        "act1": (64, 48, 48),
        "layer1": (64, 24, 24),
        "layer2": (128, 12, 12),
        "layer3": (256, 6, 6),
        "layer4": (512, 3, 3),
    }


def test_a_map_after_the_last_stage_is_called_map() -> None:
    shapes = stage_shapes(TimmConfig(model="ghostnet_050"), 64)
    assert list(shapes)[-2:] == ["blocks.7", "map"]
    assert shapes["map"][0] == on_meta(TimmConfig(model="ghostnet_050")).channels


def test_a_map_with_channels_last_is_turned() -> None:
    config = TimmConfig(model="swin_tiny_patch4_window7_224")
    assert stage_shapes(config, 224) == {"map": (768, 7, 7)}


@pytest.mark.parametrize("model", ["vgg11", "mobilenetv3_small_050"])
def test_parts_that_the_map_does_not_use_are_removed(model: str) -> None:
    backbone = TimmConfig(model=model).build()
    backbone(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, value in backbone.named_parameters() if value.grad is None] == []


def test_the_map_is_that_of_the_whole_network() -> None:
    import timm

    backbone = TimmConfig(model="mobilenetv3_small_050").build().eval()
    whole = timm.create_model("mobilenetv3_small_050").eval()
    whole.load_state_dict(backbone.body.state_dict(), strict=False)
    assert sum(value.numel() for value in whole.parameters()) > 2 * sum(value.numel() for value in backbone.parameters())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(whole.forward_features(images), backbone(images))


def test_a_tag_of_imagenet_1k_pins_its_weights() -> None:
    pinned = TimmConfig(model="resnet18.tv_in1k").weights_of("imagenet")
    assert pinned is not None
    assert pinned.tag == "timm/resnet18.tv_in1k"
    assert pinned.dropped == ("fc",)
    assert TimmConfig(model="resnet18").weights_of("imagenet") is None
    assert TimmConfig(model="resnet18.fb_swsl_ig1b_ft_in1k").weights_of("other") is None
    assert TimmConfig(model="vit_tiny_patch16_224.augreg_in21k").weights_of("imagenet") is None
