"""MobileFaceNet, its parameters, and a face-trained one that tells real people apart."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from configs.lookup import resolve
from modules.backbones.mobilefacenet import BLOCKS, MobileFaceNetConfig
from modules.model_complexity import count
from modules.shape_inference import feature_shape, stage_shapes

SIZE = (112, 96)


def _by_hand(height: int, width: int) -> int:
    """Parameters with the GDC head of 128 numbers."""

    def unit(weights: int, channels: int, slopes: bool = True) -> int:
        return weights + 2 * channels + (channels if slopes else 0)

    total = unit(27 * 64, 64) + unit(9 * 64, 64)
    before = 64
    for expansion, after, blocks, _ in BLOCKS:
        for _ in range(blocks):
            wide = expansion * before
            total += unit(before * wide, wide) + unit(9 * wide, wide) + unit(wide * after, after, slopes=False)
            before = after
    total += unit(128 * 512, 512)
    return total + unit(512 * height * width, 512, slopes=False) + unit(512 * 128, 128, slopes=False)


@pytest.mark.parametrize(("size", "cells"), [((112, 112), (7, 7)), ((112, 96), (7, 6))])
def test_about_one_million_parameters(size: tuple[int, int], cells: tuple[int, int]) -> None:
    parts: list[Any] = [resolve("backbone", "mobilefacenet"), resolve("head", "gdc"), resolve("loss", "softmax")]
    found = count(parts[0], parts[1], parts[2], 10, size).parameters
    assert found == _by_hand(*cells)
    assert found / 1e6 == pytest.approx(0.99, rel=0.015)  # the paper's Table 3
    assert feature_shape(parts[0], size) == (512, *cells)


def test_stages_are_the_ends_of_each_resolution() -> None:
    shapes = stage_shapes(MobileFaceNetConfig(), 112)
    assert {name: shape[1] for name, shape in shapes.items()} == {
        "stem": 56, "depthwise": 56, "blocks.4": 28, "blocks.11": 14, "blocks.14": 7, "last": 7,
    }  # fmt: skip


def test_blocks_that_keep_the_shape_are_residual() -> None:
    net = MobileFaceNetConfig().build().eval()
    assert [index for index, block in enumerate(net.blocks) if not block.residual] == [0, 5, 12]
    torch.nn.init.zeros_(net.blocks[3].project.norm.weight)
    features = torch.randn(2, 64, 4, 4)
    assert torch.equal(net.blocks[3](features), features)


@pytest.fixture(scope="module")
def embed(shared: Path) -> Any:
    """Images (N, 3, 112, 96) to unit vectors, by the public face-trained network."""
    path = shared / "weights" / "mobilefacenet_xiaoccer_068.ckpt"
    pretraining: Any = resolve(
        "pretraining", {"name": "checkpoint", "path": path, "layout": "mobilefacenet_xiaoccer", "head": True}
    )
    backbone, head = MobileFaceNetConfig(), resolve("head", "gdc")
    assert pretraining.missing(backbone) is None
    pretraining.check(backbone)
    pretraining.check_head(backbone, head, SIZE)
    net, top = backbone.build(), head.build(*feature_shape(backbone, SIZE))  # type: ignore[attr-defined]
    pretraining.load(net, backbone, None)
    pretraining.load_head(top, backbone, head)
    net.eval()
    top.eval()
    return lambda images: functional.normalize(top(net(images)))


def test_the_public_file_fills_every_weight_and_none_is_left(shared: Path) -> None:
    path = shared / "weights" / "mobilefacenet_xiaoccer_068.ckpt"
    raw = torch.load(path, map_location="cpu", weights_only=True)["net_state_dict"]
    pretraining: Any = resolve(
        "pretraining", {"name": "checkpoint", "path": path, "layout": "mobilefacenet_xiaoccer", "head": True}
    )
    backbone, head = MobileFaceNetConfig(), resolve("head", "gdc")
    net, top = backbone.build(), head.build(*feature_shape(backbone, SIZE))  # type: ignore[attr-defined]
    pretraining.load(net, backbone, None)
    pretraining.load_head(top, backbone, head)
    filled = [*net.state_dict().values(), *top.state_dict().values()]
    assert len(filled) == len(raw) == 333
    assert sum(value.double().sum().item() for value in filled) == pytest.approx(
        sum(value.double().sum().item() for value in raw.values()), rel=1e-9
    )
    assert torch.equal(net.state_dict()["blocks.12.depthwise.conv.weight"], raw["blocks.12.conv.3.weight"])
    assert torch.equal(top.state_dict()["out.running_mean"], raw["linear1.bn.running_mean"])


def test_a_face_trained_network_tells_real_people_apart(shared: Path, embed: Any) -> None:
    lfw = shared / "data" / "lfw"
    images = next(lfw.rglob("Aaron_Eckhart")).parent
    rows = [line.split() for line in next(lfw.rglob("pairs.txt")).read_text().splitlines()[1:601]]

    def face(subject: str, number: str) -> Tensor:
        pixels = cv2.imread(str(images / subject / f"{subject}_{int(number):04d}.jpg"))
        middle = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)[69:181, 77:173]  # 112 x 96 of 250 x 250
        return torch.from_numpy(middle.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1)

    genuine = [(face(row[0], row[1]), face(row[0], row[2])) for row in rows if len(row) == 3][::15]
    impostor = [(face(row[0], row[1]), face(row[2], row[3])) for row in rows if len(row) == 4][::15]
    pairs = [*genuine, *impostor]
    with torch.no_grad():
        left, right = embed(torch.stack([pair[0] for pair in pairs])), embed(torch.stack([pair[1] for pair in pairs]))
    scores = (left * right).sum(dim=1)
    same, other = scores[: len(genuine)], scores[len(genuine) :]
    assert (len(same), len(other)) == (20, 20)
    assert same.mean().item() > 0.45
    assert abs(other.mean().item()) < 0.15
    # AUC: 0.985 on all 600 pairs of this fold; of 20 genuine pairs one bad one costs up to 0.05
    assert (same[:, None] > other[None]).double().mean().item() > 0.9


def test_a_head_for_another_input_size_is_refused(shared: Path) -> None:
    path = shared / "weights" / "mobilefacenet_xiaoccer_068.ckpt"
    pretraining: Any = resolve(
        "pretraining", {"name": "checkpoint", "path": path, "layout": "mobilefacenet_xiaoccer", "head": True}
    )
    with pytest.raises(
        ValueError, match=r"head gdc: .*068\.ckpt: depthwise\.weight has shape \(512, 1, 7, 6\), this head has \(512, 1, 7, 7\)"
    ):
        pretraining.check_head(MobileFaceNetConfig(), resolve("head", "gdc"), 112)
