"""Weights from the user's own file."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from configs.lookup import resolve
from modules.network import Network
from modules.pretraining.checkpoint import CheckpointConfig

SMALL: Any = resolve("backbone", {"name": "timm", "model": "resnet18"})


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return SMALL.build().body.state_dict()


def _loads(pretraining: CheckpointConfig, state: dict[str, torch.Tensor]) -> bool:
    backbone = SMALL.build()
    pretraining.load(backbone, SMALL, None)
    return all(torch.equal(value, state[name]) for name, value in backbone.body.state_dict().items())


def test_a_plain_timm_file_with_classifier_is_loaded(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    save_file(state | {"fc.weight": torch.zeros(9, 512)}, path)
    pretraining = CheckpointConfig(path=path)
    assert pretraining.missing(SMALL) is None
    assert pretraining.content(SMALL) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert _loads(pretraining, state)


def test_prefix_and_key_lead_to_the_weights(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"epoch": 1, "state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    assert _loads(CheckpointConfig(path=path, prefix="module.", key="state_dict"), state)
    with pytest.raises(ValueError, match=r"a\.ckpt: no state dict at its top; found epoch, state_dict"):
        CheckpointConfig(path=path).content(SMALL)
    with pytest.raises(ValueError, match=r"a\.ckpt: conv1\.weight is missing"):
        CheckpointConfig(path=path, key="state_dict").content(SMALL)


def test_a_network_of_our_own_is_loaded(tmp_path: Path) -> None:
    parts: list[Any] = [resolve("head", "gap_bn"), resolve("loss", "softmax")]
    network = Network(SMALL, parts[0], parts[1], classes=3, size=64)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    assert _loads(CheckpointConfig(path=tmp_path / "model.safetensors"), network.backbone.body.state_dict())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = CheckpointConfig(path=tmp_path / "no.pth").missing(SMALL)
    assert missing is not None
    assert "no.pth is no file" in missing.what
    with pytest.raises(ValueError, match=r"no\.pth is no file"):
        CheckpointConfig(path=tmp_path / "no.pth").content(SMALL)


def test_another_architecture_is_refused_with_file_and_key(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, tmp_path / "resnet18.safetensors")
    pretraining = CheckpointConfig(path=tmp_path / "resnet18.safetensors")
    deeper: Any = resolve("backbone", "resnet34")
    with pytest.raises(ValueError, match=r"backbone resnet34: .*resnet18\.safetensors: layer1\.2\.conv1\.weight is missing"):
        pretraining.check(deeper)
    other: Any = resolve("backbone", "alexnet")
    with pytest.raises(ValueError, match=r"features\.0\.weight is missing"):
        pretraining.content(other)


def test_a_deeper_network_of_the_family_is_refused(tmp_path: Path) -> None:
    deeper: Any = resolve("backbone", "resnet34")
    save_file(deeper.build().body.state_dict(), tmp_path / "resnet34.safetensors")
    with pytest.raises(ValueError, match=r"layer1\.2\.\S+ has no place in this backbone"):
        CheckpointConfig(path=tmp_path / "resnet34.safetensors").content(SMALL)


def test_a_genuine_face_network_is_refused_for_another_backbone(shared: Path) -> None:
    path = shared / "weights" / "mobilefacenet_xiaoccer_068.ckpt"
    with pytest.raises(ValueError, match=r"mobilefacenet_xiaoccer_068\.ckpt: conv1\.weight is missing"):
        CheckpointConfig(path=path, key="net_state_dict").content(SMALL)
    with pytest.raises(ValueError, match="no state dict at its top; found epoch, net_state_dict"):
        CheckpointConfig(path=path).content(SMALL)


def test_the_path_is_no_part_of_the_identity(tmp_path: Path) -> None:
    assert CheckpointConfig(path=tmp_path, key="net").identity() == {"name": "checkpoint", "prefix": None, "key": "net"}
