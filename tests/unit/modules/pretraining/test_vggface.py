"""VGG-Face weights from a local file."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from configs.lookup import resolve
from modules.pretraining.vggface import VGGFaceConfig
from modules.weights.vggface import for_our_pixels, to_vgg16

VGG16: Any = resolve("backbone", "vgg16")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Random weights under the published names."""
    torch.manual_seed(0)
    ours = iter(VGG16.build().state_dict().values())
    found: dict[str, torch.Tensor] = {}
    for block, depth in enumerate((2, 2, 3, 3, 3), start=1):
        for place in range(1, depth + 1):
            found[f"conv{block}_{place}.weight"] = next(ours)
            found[f"conv{block}_{place}.bias"] = next(ours) + 0.25
    return found | {f"{name}.weight": torch.zeros(3, 2) for name in ("fc6", "fc7", "fc8")}


@pytest.mark.parametrize("file", ["face.safetensors", "face.pth"])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_file_fills_the_backbone_with_converted_weights(
    file: str, order: Any, tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / file
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    pretraining = VGGFaceConfig(path=path, order=order)
    assert pretraining.missing(VGG16) is None
    backbone = VGG16.build()
    pretraining.load(backbone, VGG16, None)
    wanted = for_our_pixels({name: value for name, value in to_vgg16(state).items() if not name.startswith("fc")}, order)
    assert all(torch.equal(value, wanted[name]) for name, value in backbone.state_dict().items())
    assert torch.equal(backbone.features[28].bias, state["conv5_3.bias"])
    assert pretraining.content(VGG16) == f"{hashlib.sha256(path.read_bytes()).hexdigest()}:{order}"


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = VGGFaceConfig(path=tmp_path / "no.pth").missing(VGG16)
    assert missing is not None
    assert f"looked at {tmp_path / 'no.pth'}" in missing.what
    assert "set pretraining.path" in missing.remedy
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    found = VGGFaceConfig().missing(VGG16)
    assert found is not None
    assert "torch/hub/checkpoints/vgg_face_dag.pth" in found.what
    with pytest.raises(ValueError, match="VGG-Face weights are not there"):
        VGGFaceConfig(path=tmp_path / "no.pth").check(VGG16)


def test_another_backbone_is_refused(tmp_path: Path) -> None:
    other: Any = resolve("backbone", "vgg19")
    assert VGGFaceConfig().impossible(other) == "VGG-Face is a VGG-16: its weights are none for vgg19"
    assert VGGFaceConfig().impossible(VGG16) is None
    with pytest.raises(ValueError, match=r"pretraining vggface: VGG-Face is a VGG-16.*; choose another pretraining"):
        VGGFaceConfig(path=tmp_path / "a.pth").check(other)


def test_a_file_of_another_network_is_refused_with_file_and_key(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"layer1.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"a\.safetensors: layer1\.weight is no name of VGG-Face"):
        VGGFaceConfig(path=path).check(VGG16)
    save_file({name: value for name, value in state.items() if name != "conv4_2.bias"}, path)
    with pytest.raises(ValueError, match=r"a\.safetensors: features\.19\.bias is missing"):
        VGGFaceConfig(path=path).check(VGG16)


def test_an_attention_branch_takes_them_for_its_inner_backbone(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    save_file(state, tmp_path / "a.safetensors")
    abn: Any = resolve("backbone", {"name": "abn", "backbone": "vgg16", "maps": 4})
    built = abn.build()
    VGGFaceConfig(path=tmp_path / "a.safetensors").load(built, abn, None)
    assert torch.equal(built.inner.features[2].weight, state["conv1_2.weight"])


def test_the_order_counts_and_the_path_does_not(tmp_path: Path) -> None:
    assert VGGFaceConfig(path=tmp_path, order="bgr").identity() == {"name": "vggface", "order": "bgr"}
