"""Every row of the table of NN2 in Schroff et al. (2015)."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.backbones.facenet_nn2 import FaceNetNN2Config
from modules.model_complexity import count
from modules.shape_inference import on_meta, stage_shapes

TABLE = [  # layers, output, parameters in thousands, operations in millions
    (("conv1",), (64, 112, 112), 9, 119),
    (("pool1", "norm1"), (64, 56, 56), 0, 0),
    (("conv2a", "conv2"), (192, 56, 56), 115, 360),
    (("norm2", "pool2"), (192, 28, 28), 0, 0),
    (("inception3a",), (256, 28, 28), 164, 128),
    (("inception3b",), (320, 28, 28), 228, 179),
    (("inception3c",), (640, 14, 14), 398, 108),
    (("inception4a",), (640, 14, 14), 545, 107),
    (("inception4b",), (640, 14, 14), 595, 117),
    (("inception4c",), (640, 14, 14), 654, 128),
    (("inception4d",), (640, 14, 14), 722, 142),
    (("inception4e",), (1024, 7, 7), 717, 56),
    (("inception5a",), (1024, 7, 7), 1600, 78),
    (("inception5b",), (1024, 7, 7), 1600, 78),
]


def test_the_layers_are_those_of_the_table() -> None:
    assert list(stage_shapes(FaceNetNN2Config(), 224)) == [name for row in TABLE for name in row[0]]


@pytest.fixture(scope="module")
def operations() -> dict[str, int]:
    """Stage name -> operations as the paper counts them: a weight, or a bias, is used once for each cell of the output."""
    found: dict[str, int] = {}
    with torch.device("meta"):
        backbone = FaceNetNN2Config().build()
    for name, stage in backbone.stages().items():
        found[name] = 0
        for layer in stage.modules():
            if isinstance(layer, torch.nn.Conv2d):

                def add(layer: Any, _: Any, output: torch.Tensor, name: str = name) -> None:
                    found[name] += (layer.weight.numel() + layer.bias.numel()) * output.shape[2] * output.shape[3]

                layer.register_forward_hook(add)
    backbone(torch.empty(1, 3, 224, 224, device="meta"))
    return found


@pytest.mark.parametrize(("layers", "out", "thousands", "millions"), TABLE, ids=[row[0][-1] for row in TABLE])
def test_a_row_is_met(
    layers: tuple[str, ...], out: tuple[int, int, int], thousands: int, millions: int, operations: dict[str, int]
) -> None:
    stages = on_meta(FaceNetNN2Config()).stages()
    found = sum(value.numel() for layer in layers for value in stages[layer].parameters())
    assert stage_shapes(FaceNetNN2Config(), 224)[layers[-1]] == out
    assert found / 1e3 == pytest.approx(thousands, abs=1 if thousands < 1000 else 50)
    assert sum(operations[layer] for layer in layers) / 1e6 == pytest.approx(millions, abs=1)


def test_the_sum_is_within_a_tenth_of_the_papers() -> None:
    parts: list[Any] = [resolve("head", "l2"), resolve("loss", "softmax")]
    found = count(FaceNetNN2Config(), parts[0], parts[1], classes=2, size=224)
    assert found.flops / 2 == pytest.approx(1.6e9, rel=0.1)
    assert found.parameters == pytest.approx(7.5e6, rel=0.01)


def test_the_pooling_of_each_module_is_the_tables() -> None:
    stages = on_meta(FaceNetNN2Config()).stages()
    found = {name[-2:]: type(module.paths.pool[0]).__name__ for name, module in stages.items() if name.startswith("inc")}
    assert {name for name, kind in found.items() if kind == "MaxPool2d"} == {"3a", "3c", "4e", "5b"}
    assert {name for name, kind in found.items() if kind == "L2Pool"} == {"3b", "4a", "4b", "4c", "4d", "5a"}


def test_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    backbone = FaceNetNN2Config().build()
    features = backbone(torch.rand(2, 3, 64, 40) * 2 - 1)
    assert features.shape == (2, 1024, 2, 2)
    features.square().sum().backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in backbone.parameters())
