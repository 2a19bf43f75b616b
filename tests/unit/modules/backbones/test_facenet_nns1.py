"""The operations that Schroff et al. (2015) state for NNS1 and NNS2."""

from pathlib import Path
from typing import Any

import pytest
import torch

from configs.lookup import resolve
from grid.spec.grid_file import read
from modules.backbones.facenet_nns1 import FaceNetNNS1Config
from modules.backbones.facenet_nns2 import FaceNetNNS2Config
from modules.model_complexity import Count, count
from modules.shape_inference import stage_shapes

CONFIGS = {"nns1": FaceNetNNS1Config, "nns2": FaceNetNNS2Config}


def counted(config: Any, size: Any) -> Count:
    head: Any = resolve("head", "l2")
    loss: Any = resolve("loss", "softmax")
    return count(config, head, loss, classes=2, size=size)


@pytest.mark.parametrize(
    ("name", "size", "operations"), [("nns1", 165, 220e6), ("nns2", 128, 20e6), ("nns2", (140, 116), 20e6)]
)
def test_it_takes_the_stated_operations_within_a_tenth(name: str, size: Any, operations: float) -> None:
    found = counted(CONFIGS[name](), size)
    assert found.flops / 2 == pytest.approx(operations, rel=0.1)  # a multiply-add is one operation in the paper


@pytest.mark.parametrize(
    ("file", "sizes"),
    [
        ("facenet", {"nn1": 220, "nn2": 224, "nns1": 165, "nns2": (140, 116)}),
        ("facenet_small", {"nn1": 64, "nn2": 64, "nns1": 64, "nns2": (64, 53)}),
    ],
)
def test_each_network_of_the_shipped_grids_has_its_own_input_size(file: str, sizes: dict[str, Any]) -> None:
    grid = read(Path(__file__).parents[4] / f"configs/grids/{file}.yaml")
    cells = [(one.levels["network"], one.cell) for one in grid.combinations()]
    assert {(name, cell.input.pixels) for name, cell in cells if cell} == set(sizes.items())
    (nns2,) = {cell.backbone.name for name, cell in cells if cell and name == "nns2"}
    assert nns2 == "facenet_nns2"


@pytest.mark.parametrize(
    ("name", "size", "last"), [("nns1", 165, ("inception5b", (512, 6, 6))), ("nns2", 128, ("inception5a", (384, 4, 4)))]
)
def test_the_last_map_is_the_stated_one(name: str, size: int, last: Any) -> None:
    assert list(stage_shapes(CONFIGS[name](), size).items())[-1] == last


@pytest.mark.parametrize(("name", "size"), [("nns1", 165), ("nns2", 128)])
def test_batch_normalization_costs_no_operation(name: str, size: int) -> None:
    without, normalized = (counted(CONFIGS[name](batch_norm=on), size) for on in (False, True))
    assert without.flops == normalized.flops
    assert without.parameters < normalized.parameters


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_gets_a_gradient(name: str, batch_norm: bool) -> None:
    torch.manual_seed(0)
    backbone = CONFIGS[name](batch_norm=batch_norm).build()
    features = backbone(torch.rand(4, 3, 64, 40) * 2 - 1)
    assert features.shape == (4, backbone.channels, 2, 2)
    features.square().mul(torch.rand_like(features)).sum().backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in backbone.parameters())
