"""Any timm network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from one_step import small, untrained

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit
from modules.backbones.timm import TimmConfig, _look
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


@pytest.mark.parametrize("model", ["pit_ti_224", "mixer_s32_224", "coat_tiny"])
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


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_network_can_be_built_where_gradients_are_switched_off(mode: Any) -> None:
    wanted = _look.__wrapped__("mobilenetv3_small_050")
    with mode():
        assert _look.__wrapped__("mobilenetv3_small_050") == wanted
    assert wanted.unused, "found by a backward pass"


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


def tokens_of(model: str, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens (N, L, C) of a timm transformer with random weights, and both maps of the same weights."""
    import timm

    torch.manual_seed(0)
    patches = TimmConfig(model=model, size=size).build().eval()
    token = TimmConfig(model=model, size=size, tokens="class").build().eval()
    whole = timm.create_model(model, num_classes=0, img_size=size).eval()
    whole.load_state_dict(patches.body.state_dict(), strict=False)
    token.load_state_dict(patches.state_dict())
    images = torch.rand(2, 3, size, size) * 2 - 1
    with torch.no_grad():
        return whole.forward_features(images), patches(images), token(images)


@pytest.mark.parametrize(
    ("model", "first"),
    [("vit_tiny_patch16_224", 1), ("deit_tiny_distilled_patch16_224", 2), ("eva02_tiny_patch14_224", 1)],
)
def test_tokens_of_a_transformer_become_a_map_and_the_class_token_one_of_one_location(model: str, first: int) -> None:
    side = 64 // (14 if "14" in model else 16)
    tokens, patches, token = tokens_of(model, 64)
    assert tokens.shape[1] == first + side * side
    for place in range(side * side):
        assert torch.equal(patches[:, :, place // side, place % side], tokens[:, first + place])
    assert torch.equal(token[:, :, 0, 0], tokens[:, 0])


def test_a_transformer_is_built_for_the_size_of_the_images() -> None:
    assert stage_shapes(TimmConfig(model="vit_tiny_patch16_224"), 224) == {"map": (192, 14, 14)}
    assert stage_shapes(TimmConfig(model="vit_tiny_patch16_224", size=112), 112) == {"map": (192, 7, 7)}
    with pytest.raises(ValueError, match=r"positions for 224 x 224 pixels only, found 112 x 112; set backbone\.size"):
        stage_shapes(TimmConfig(model="vit_tiny_patch16_224"), 112)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model": "resnet18", "size": 112}, "'resnet18' is built for no size: it takes any; leave backbone.size out"),
        ({"model": "resnet18", "tokens": "class"}, "'resnet18' has no class token; leave backbone.tokens out"),
        ({"model": "vit_base_patch16_siglip_224", "tokens": "class"}, "has no class token"),
        ({"model": "vit_tiny_patch16_224", "size": 8}, "cannot be built for 8 x 8 pixels"),
    ],
)
def test_what_a_model_cannot_do_is_refused_in_one_line(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        TimmConfig(**config).build()
    assert "\n" not in str(caught.value)


def test_published_weights_are_resampled_to_the_size(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    published = TimmConfig(model="vit_tiny_patch16_224").build().body.state_dict()
    file = {name: value.clone() for name, value in published.items()}
    file["pos_embed"][:, 1:] = 0.25  # the same everywhere stays the same
    save_file({**file, "head.weight": torch.zeros(2, 192), "head.bias": torch.zeros(2)}, tmp_path / f"{model}.safetensors")
    for size, places in ((112, 50), (224, 197)):
        config = TimmConfig(model=model, size=size)
        pretraining: Any = resolve("pretraining", {"name": "imagenet", "weights_dir": tmp_path})
        pretraining.check(config)
        backbone: Any = config.build()
        pretraining.load(backbone, config, None)
        found = backbone.body.state_dict()
        assert found["pos_embed"].shape == (1, places, 192)
        assert torch.equal(found["pos_embed"][:, 0], file["pos_embed"][:, 0])
        torch.testing.assert_close(found["pos_embed"][:, 1:], torch.full((1, places - 1, 192), 0.25))
        assert torch.equal(found["blocks.3.attn.qkv.weight"], file["blocks.3.attn.qkv.weight"])


@pytest.mark.parametrize("tokens", ["patches", "class"])
def test_one_step_reaches_every_parameter_of_a_transformer(tokens: str) -> None:
    backbone = {"name": "timm", "model": "vit_tiny_patch16_224", "size": 64, "tokens": tokens}
    assert untrained(small(backbone, {"name": "tokens", "dimension": 8}, 64), 64) == []


def test_maps_of_a_class_token_are_refused_in_one_line() -> None:
    backbone = {"name": "timm", "model": "vit_tiny_patch16_224", "size": 64, "tokens": "class"}
    network = small(backbone, {"name": "gap_bn", "dimension": 8}, 64).eval()
    explainer: Any = resolve("explainer", "gradcam")
    with pytest.raises(Refused, match=r"no stage gives a map of at least 4x4 at this input size \(found: map 1x1\)"):
        explainer.build().explain(network, torch.rand(1, 3, 64, 64), ClassLogit(torch.tensor([1])), 64)
