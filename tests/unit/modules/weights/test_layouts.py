"""Names of other projects' files."""

import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_networks import edgeface, ir, iresnet, vit
from torch import Tensor, nn
from torch.nn import functional

from configs.lookup import resolve
from configs.network_interfaces import BackboneConfig
from modules.backbones.iresnet import UNITS
from modules.network import Network
from modules.pretraining.checkpoint import CheckpointConfig
from modules.weights.layouts import LAYOUTS


def _zeros(*names: str) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(1) for name in names}


def test_the_field_names_exactly_the_layouts_that_there_are() -> None:
    (literal,) = (one for one in [CheckpointConfig.model_fields["layout"].annotation] if one is not None)
    assert typing.get_args(literal) == (*LAYOUTS, "auto")


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
    assert list(layout.convert(_zeros(theirs))[1]) == [ours]


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


IR_PARTS = {"shortcut": "subsample"}, {"name": "fc_bn", "affine": "none"}


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(9)) * 2 - 1


def embedded(path: Path, backbone: Any, head: Any, images: Tensor, **fields: Any) -> tuple[Tensor, list[Tensor]]:
    """Embeddings of the loaded network, and all tensors that it holds."""
    pretraining = CheckpointConfig(path=path, head=True, **fields)
    parts: list[Any] = [resolve("backbone", backbone), resolve("head", head)]
    pretraining.check(parts[0])
    pretraining.check_head(*parts, 112)
    torch.manual_seed(8)
    network = Network(*parts, resolve("loss", "softmax"), 2, 112).eval()  # type: ignore[arg-type]
    pretraining.load(network.backbone, parts[0], None)
    pretraining.load_head(network.head, *parts)
    with torch.no_grad():
        return network.embed(images), [*network.backbone.state_dict().values(), *network.head.state_dict().values()]


def recognized(path: Path, backbone: Any, layout: Any) -> None:
    """A file's layout is found by its names."""
    named, found = (CheckpointConfig(path=path, head=True, layout=one) for one in (layout, "auto"))
    assert named.content(resolve("backbone", backbone)) == found.content(resolve("backbone", backbone))  # type: ignore[arg-type]


def agrees(foreign: nn.Module, given: Tensor, found: tuple[Tensor, list[Tensor]], unused: int = 0) -> None:
    """Equal embeddings, and as many numbers as the foreign network has, but for the ``unused``."""
    with torch.no_grad():
        wanted = foreign(given)
    assert float(wanted.std(0).mean()) > 1e-3  # the images differ
    torch.testing.assert_close(found[0], wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
    assert sum(map(torch.numel, found[1])) == sum(map(torch.numel, foreign.state_dict().values())) - unused


def test_a_checkpoint_of_adaface_gives_its_embeddings_of_rgb_images(tmp_path: Path, images: Tensor) -> None:
    foreign = ir(UNITS[18])
    state = {f"model.{name}": value for name, value in foreign.state_dict().items()}
    classifier = {"head.kernel": torch.zeros(512, 7), "head.t": torch.zeros(1), "head.batch_mean": torch.ones(1)}
    torch.save({"epoch": 3, "state_dict": state | classifier}, tmp_path / "adaface.ckpt")
    backbone = {"name": "iresnet", "depth": 18, **IR_PARTS[0]}
    found = embedded(tmp_path / "adaface.ckpt", backbone, IR_PARTS[1], images, layout="auto")
    agrees(foreign, images.flip(1), found)  # AdaFace's network takes BGR
    recognized(tmp_path / "adaface.ckpt", backbone, "adaface")
    unit = functional.normalize(foreign(images.flip(1)).detach())
    torch.testing.assert_close(functional.normalize(found[0]), unit, rtol=0, atol=1e-5)
    with torch.no_grad():
        assert not torch.allclose(found[0], foreign(images), atol=1e-2)


def test_units_of_deeper_networks_find_their_stage(tmp_path: Path, images: Tensor) -> None:
    foreign = ir(UNITS[50])
    torch.save({f"model.{name}": value for name, value in foreign.state_dict().items()}, tmp_path / "deep.pt")
    backbone = {"name": "iresnet", "depth": 50, **IR_PARTS[0]}
    found = embedded(tmp_path / "deep.pt", backbone, IR_PARTS[1], images, layout="adaface", order="rgb")
    agrees(foreign, images, found)


def test_names_and_shapes_of_the_deepest_network_are_ours() -> None:
    layout = LAYOUTS["adaface"]
    assert layout is not None
    parts: list[Any] = [resolve("backbone", {"name": "iresnet", "depth": 100, **IR_PARTS[0]}), resolve("head", IR_PARTS[1])]
    with torch.device("meta"):
        foreign = ir(UNITS[100])
        network = Network(*parts, resolve("loss", "softmax"), 2, 112)  # type: ignore[arg-type]
    _, state = layout.convert({f"model.{name}": value for name, value in foreign.state_dict().items()})
    wanted = {name: value.shape for name, value in network.state_dict().items() if not name.startswith("loss.")}
    assert {name: value.shape for name, value in state.items()} == wanted


@pytest.mark.parametrize(("prefix", "order"), [("net.", None), ("model.net.", "bgr")])
def test_an_ir_network_of_cvlface_is_rgb_unless_stated(tmp_path: Path, images: Tensor, prefix: str, order: Any) -> None:
    from safetensors.torch import save_file

    foreign = ir(UNITS[18])
    save_file({prefix + name: value for name, value in foreign.state_dict().items()}, tmp_path / "model.safetensors")
    backbone = {"name": "iresnet", "depth": 18, **IR_PARTS[0]}
    found = embedded(tmp_path / "model.safetensors", backbone, IR_PARTS[1], images, layout="auto", order=order)
    agrees(foreign, images.flip(1) if order == "bgr" else images, found)


@pytest.mark.parametrize(("prefix", "known"), [("", "insightface"), ("net.", "cvlface")])
def test_an_iresnet_of_insightface_or_cvlface(tmp_path: Path, images: Tensor, prefix: str, known: Any) -> None:
    foreign, path = iresnet(UNITS[18]), tmp_path / "model.pt"
    torch.save({prefix + name: value for name, value in foreign.state_dict().items()}, path)
    backbone = {"name": "iresnet", "depth": 18}
    agrees(foreign, images, embedded(path, backbone, "fc_bn", images, layout="auto"))
    recognized(path, backbone, known)


@pytest.mark.parametrize(("layout", "masking", "unused"), [("insightface_vit", 0.1, 0), ("auto", 0, 256)])
def test_a_vit_of_insightface(tmp_path: Path, images: Tensor, layout: Any, masking: float, unused: int) -> None:
    foreign = vit(256, 12, 8, 4, 9, masked=True)
    torch.save(foreign.state_dict(), tmp_path / "model.pt")
    backbone = {"name": "face_vit", "variant": "tiny", "masking": masking}
    agrees(foreign, images, embedded(tmp_path / "model.pt", backbone, "tokens", images, layout=layout), unused)


@pytest.mark.slow
def test_a_vit_of_cvlface(tmp_path: Path, images: Tensor) -> None:
    foreign = vit(512, 12, 8, 5, 8, masked=False)
    torch.save({f"net.{name}": value for name, value in foreign.state_dict().items()}, tmp_path / "model.pt")
    backbone = {"name": "face_vit", "variant": "cvlface_small", "masking": 0}
    agrees(foreign, images, embedded(tmp_path / "model.pt", backbone, "tokens", images, layout="auto"))
    recognized(tmp_path / "model.pt", backbone, "cvlface")
    with pytest.raises(ValueError, match=r"face_vit: .*model\.pt: mask\.token is missing"):
        embedded(tmp_path / "model.pt", {**backbone, "masking": 0.1}, "tokens", images, layout="auto")


def test_a_network_of_edgeface(tmp_path: Path, images: Tensor) -> None:
    foreign = edgeface("edgenext_xx_small", 0.5)
    torch.save(foreign.state_dict(), tmp_path / "edgeface.pt")
    parts = {"name": "edgeface", "variant": "xxs", "gamma": 0.5}, {"name": "gap_ln", "gamma": 0.5}
    agrees(foreign, images, embedded(tmp_path / "edgeface.pt", *parts, images, layout="auto"))
    recognized(tmp_path / "edgeface.pt", parts[0], "edgeface")


def refusal(path: Path, state: dict[str, Tensor], backbone: Any, head: Any, **fields: Any) -> str:
    """The one line that refuses a file."""
    torch.save(state, path)
    with pytest.raises(ValueError) as caught:
        embedded(path, backbone, head, torch.zeros(1, 3, 112, 112), **fields)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_what_is_not_understood_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    parts: Any = {"name": "iresnet", "depth": 18, **IR_PARTS[0]}, IR_PARTS[1]
    state = {f"net.{name}": value for name, value in ir(UNITS[18]).state_dict().items()}
    more = state | {"net.body.3.res_layer.se_block.fc1.weight": torch.zeros(1)}
    assert "body.3.res_layer.se_block.fc1.weight is no name of a layer in the networks of CVLFace" in refusal(
        path, more, *parts, layout="auto"
    )
    assert "aligner.conv.weight is no name of a layer in the networks of CVLFace, which begin with net." in refusal(
        path, state | {"aligner.conv.weight": torch.zeros(1)}, *parts, layout="cvlface"
    )
    assert "body has 9 units up to number 8; known are 8, 16, 24, 49 units" in refusal(
        path, state | {"net.body.8.res_layer.0.bias": torch.zeros(512)}, *parts, layout="auto"
    )
    assert "no layout is known whose names are like input_layer.0.weight; known are insightface, " in refusal(
        path, {name.removeprefix("net."): value for name, value in state.items()}, *parts, layout="auto"
    )
    assert (
        "these are no weights of the networks of CVLFace: none of net.input_layer.0.weight, net.feature.0.weight, "
        in refusal(path, {"net.stem.weight": torch.zeros(1)}, *parts, layout="cvlface")
    )


def test_every_tensor_of_a_layout_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    state = {f"net.{name}": value for name, value in ir(UNITS[18]).state_dict().items()}
    convolution = {"name": "iresnet", "depth": 18}
    assert refusal(path, state, convolution, IR_PARTS[1], layout="auto").endswith(
        "its names are those of backbone {name: iresnet, shortcut: subsample} and head {name: fc_bn, affine: none}"
    )
    parts: Any = {**convolution, **IR_PARTS[0]}, IR_PARTS[1]
    extra = state | {"net.output_layer.4.weight": torch.ones(512)}
    assert "head fc_bn: " in (said := refusal(path, extra, *parts, layout="auto"))
    assert "out.weight has no place in this head" in said
    flat = {"name": "l2", "dimension": 512, "pool": "flatten"}
    assert "norm.weight has no place in this head" in refusal(path, state, parts[0], flat, layout="auto")
    deeper = vit(256, 12, 8, 4, 9, masked=True).state_dict() | {"blocks.12.norm1.weight": torch.ones(256)}
    assert "blocks.12.norm1.weight has no place in this backbone" in refusal(
        path, deeper, {"name": "face_vit", "variant": "tiny"}, "tokens", layout="auto"
    )


class FirstLayer(BackboneConfig):
    """The first convolution of iresnet."""

    name: typing.Literal["first_layer"] = "first_layer"

    def build(self) -> Any:
        made: Any = nn.Module()
        made.conv1, made.channels = nn.Conv2d(3, 64, 3, padding=1, bias=False), 64
        made.stages = lambda: {"conv1": made.conv1}
        return made


def test_a_backbone_that_is_a_part_of_the_files_is_refused(tmp_path: Path) -> None:
    state = iresnet(UNITS[18]).state_dict()
    torch.save(state, tmp_path / "a.pt")
    CheckpointConfig(path=tmp_path / "a.pt").check(FirstLayer())  # without a layout other parts are ignored
    with pytest.raises(ValueError, match=r"first_layer: .*bn1\.weight has no place in this backbone"):
        CheckpointConfig(path=tmp_path / "a.pt", layout="auto").check(FirstLayer())


def test_the_order_counts_and_a_recognized_layout_is_the_same_as_a_named_one(tmp_path: Path) -> None:
    backbone: Any = resolve("backbone", {"name": "iresnet", "depth": 18, **IR_PARTS[0]})
    path = tmp_path / "a.pt"
    torch.save({f"model.{name}": value for name, value in ir(UNITS[18]).state_dict().items()}, path)

    def content(**fields: Any) -> str:
        return str(CheckpointConfig(path=path, **fields).content(backbone))[64:]

    assert content(layout="adaface") == content(layout="auto") == content(layout="adaface", order="bgr") == ":adaface"
    assert content(layout="adaface", order="rgb") == ":adaface:rgb"
    with pytest.raises(ValueError, match="order 'bgr' is that of a layout, and these are the names of our own"):
        CheckpointConfig(path=path, order="bgr")


def test_a_file_of_our_own_is_recognized(tmp_path: Path) -> None:
    backbone: Any = resolve("backbone", "alexnet")
    state = {f"backbone.{name}": value for name, value in backbone.build().state_dict().items()}
    torch.save(state, tmp_path / "a.pth")
    fresh = backbone.build()
    CheckpointConfig(path=tmp_path / "a.pth", layout="auto").load(fresh, backbone, None)
    assert all(torch.equal(value, state[f"backbone.{name}"]) for name, value in fresh.state_dict().items())
    with pytest.raises(ValueError, match=r"a\.pth: its names are those of our own, whose order is RGB"):
        CheckpointConfig(path=tmp_path / "a.pth", layout="auto", order="bgr").check(backbone)
