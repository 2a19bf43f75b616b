"""Names of other projects' files."""

import typing
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.network import Network
from modules.pretraining.checkpoint import CheckpointConfig
from modules.weights.layouts import LAYOUTS


def _zeros(*names: str) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(1) for name in names}


def test_the_field_names_exactly_the_layouts_that_there_are() -> None:
    (literal,) = (one for one in [CheckpointConfig.model_fields["layout"].annotation] if one is not None)
    assert typing.get_args(literal) == tuple(LAYOUTS)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("conv1.conv.weight", "backbone.stem.conv.weight"),
        ("dw_conv1.bn.running_var", "backbone.depthwise.norm.running_var"),
        ("conv2.prelu.weight", "backbone.last.act.weight"),
        ("blocks.12.conv.0.weight", "backbone.blocks.12.expand.conv.weight"),
        ("blocks.3.conv.2.weight", "backbone.blocks.3.expand.act.weight"),
        ("blocks.0.conv.4.bias", "backbone.blocks.0.depthwise.norm.bias"),
        ("blocks.14.conv.7.num_batches_tracked", "backbone.blocks.14.project.norm.num_batches_tracked"),
        ("linear7.conv.weight", "head.depthwise.weight"),
        ("linear7.bn.bias", "head.norm.bias"),
        ("linear1.conv.weight", "head.linear.weight"),
        ("linear1.bn.running_mean", "head.out.running_mean"),
    ],
)
def test_names_of_xiaoccers_mobilefacenet(theirs: str, ours: str) -> None:
    layout = LAYOUTS["mobilefacenet_xiaoccer"]
    assert layout is not None
    assert list(layout.convert(_zeros(theirs))) == [ours]


@pytest.mark.parametrize("name", ["blocks.3.conv.8.weight", "conv1.conv.weights", "linear8.bn.bias", "xconv1.conv.weight"])
def test_a_name_of_no_layer_is_refused_with_its_file(tmp_path: Path, name: str) -> None:
    torch.save({"net_state_dict": _zeros("conv1.conv.weight", name)}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=rf"a\.ckpt: {name} is no name of a layer in the MobileFaceNet of Xiaoccer"):
        CheckpointConfig(path=tmp_path / "a.ckpt", layout="mobilefacenet_xiaoccer").check(resolve("backbone", "mobilefacenet"))  # type: ignore[arg-type]


def test_a_file_with_insightfaces_names_fills_iresnet_and_its_head(tmp_path: Path) -> None:
    parts: list[Any] = [
        resolve("backbone", {"name": "iresnet", "depth": 18}),
        resolve("head", {"name": "fc_bn", "dimension": 4}),
    ]
    torch.manual_seed(1)
    given, fresh = (Network(parts[0], parts[1], resolve("loss", "softmax"), 3, 32) for _ in range(2))  # type: ignore[arg-type]
    theirs = {name.removeprefix("backbone."): value for name, value in given.state_dict().items() if name[:4] == "back"}
    for ours, name in (("norm", "bn2"), ("linear", "fc"), ("out", "features")):
        theirs |= {f"{name}.{leaf}": value for leaf, value in getattr(given.head, ours).state_dict().items()}
    assert {"conv1.weight", "layer1.0.downsample.0.weight", "bn2.running_mean", "fc.bias", "features.weight"} <= set(theirs)
    torch.save(theirs, tmp_path / "backbone.pth")
    for layout in ("own", "insightface"):
        CheckpointConfig(path=tmp_path / "backbone.pth", layout=layout).load(fresh.backbone, parts[0], None)
        wanted = given.backbone.state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in fresh.backbone.state_dict().items())
    pretraining = CheckpointConfig(path=tmp_path / "backbone.pth", layout="insightface", head=True)
    pretraining.check_head(parts[0], parts[1], 32)
    pretraining.load_head(fresh.head, parts[0], parts[1])
    assert all(torch.equal(value, given.head.state_dict()[name]) for name, value in fresh.head.state_dict().items())
    with pytest.raises(ValueError, match=r"head fc_bn: .*linear\.weight has shape \(4, 2048\), this head has \(4, 4608\)"):
        pretraining.check_head(parts[0], parts[1], 48)


def test_a_prefix_is_taken_off_before(tmp_path: Path) -> None:
    backbone: Any = resolve("backbone", {"name": "iresnet", "depth": 18})
    state = backbone.build().state_dict()
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "a.pth")
    fresh = backbone.build()
    CheckpointConfig(path=tmp_path / "a.pth", layout="insightface", prefix="module.").load(fresh, backbone, None)
    assert torch.equal(fresh.conv1.weight, state["conv1.weight"])


def test_a_file_of_our_own_fills_the_head_too(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", {"name": "gap_bn", "dimension": 4})]
    given, fresh = (Network(parts[0], parts[1], resolve("loss", "softmax"), 3, 64) for _ in range(2))  # type: ignore[arg-type]
    save_file(given.state_dict(), tmp_path / "model.safetensors")
    pretraining = CheckpointConfig(path=tmp_path / "model.safetensors", head=True)
    pretraining.check_head(parts[0], parts[1], 64)
    pretraining.load_head(fresh.head, parts[0], parts[1])
    assert torch.equal(fresh.head.linear.weight, given.head.linear.weight)
    before = fresh.head.linear.weight.clone()
    CheckpointConfig(path=tmp_path / "model.safetensors").load_head(fresh.head, parts[0], resolve("head", "gmp"))  # type: ignore[arg-type]
    assert torch.equal(fresh.head.linear.weight, before)


def test_a_file_without_a_head_and_a_prefix_that_says_nothing_of_it_are_refused(tmp_path: Path) -> None:
    backbone: Any = resolve("backbone", "alexnet")
    torch.save(backbone.build().state_dict(), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth: no weights under 'head\.'; its first name is 'features"):
        CheckpointConfig(path=tmp_path / "a.pth", head=True).check_head(backbone, resolve("head", "gap_bn"), 64)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"prefix 'module\.' says where the backbone is, and nothing says where the head is"):
        CheckpointConfig(path=tmp_path / "a.pth", head=True, prefix="module.")


def test_layout_and_head_count_and_older_identities_stay(tmp_path: Path) -> None:
    assert CheckpointConfig(path=tmp_path).identity() == {"name": "checkpoint", "prefix": None, "key": None}
    backbone: Any = resolve("backbone", {"name": "iresnet", "depth": 18})
    torch.save(backbone.build().state_dict(), tmp_path / "a.pth")
    made = [
        CheckpointConfig(path=tmp_path / "a.pth", **fields).content(backbone)
        for fields in ({}, {"layout": "insightface"}, {"head": True})
    ]
    assert made[0] is not None
    assert len(made[0]) == 64
    assert made[1:] == [f"{made[0]}:insightface", f"{made[0]}:head"]
