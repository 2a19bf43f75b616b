"""Every row of the table of NN1 in Schroff et al. (2015)."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.backbones.facenet_nn1 import FaceNetNN1Config
from modules.model_complexity import count
from modules.shape_inference import on_meta, stage_shapes

K, M = 1e3, 1e6
TABLE = [  # layer, size-out, parameters and operations as printed, in which unit
    ("conv1", (64, 110, 110), 9, K, 115),
    ("pool1", (64, 55, 55), 0, K, 0),
    ("rnorm1", (64, 55, 55), 0, K, 0),
    ("conv2a", (64, 55, 55), 4, K, 13),
    ("conv2", (192, 55, 55), 111, K, 335),
    ("rnorm2", (192, 55, 55), 0, K, 0),
    ("pool2", (192, 28, 28), 0, K, 0),
    ("conv3a", (192, 28, 28), 37, K, 29),
    ("conv3", (384, 28, 28), 664, K, 521),
    ("pool3", (384, 14, 14), 0, K, 0),
    ("conv4a", (384, 14, 14), 148, K, 29),
    ("conv4", (256, 14, 14), 885, K, 173),
    ("conv5a", (256, 14, 14), 66, K, 13),
    ("conv5", (256, 14, 14), 590, K, 116),
    ("conv6a", (256, 14, 14), 66, K, 13),
    ("conv6", (256, 14, 14), 590, K, 116),
    ("pool4", (256, 7, 7), 0, K, 0),
    ("concat", (256, 7, 7), 0, K, 0),
]
HEAD = [("fc1", 103, M, 103), ("fc2", 34, M, 34), ("fc7128", 524, K, 0.5)]


def _parameters(module: Any) -> int:
    return sum(value.numel() for value in module.parameters())


def test_the_layers_are_those_of_the_table() -> None:
    assert list(stage_shapes(FaceNetNN1Config(), 220)) == [row[0] for row in TABLE]


@pytest.mark.parametrize(("layer", "out", "parameters", "unit", "operations"), TABLE, ids=[row[0] for row in TABLE])
def test_a_row_is_met(layer: str, out: tuple[int, int, int], parameters: int, unit: float, operations: int) -> None:
    found = _parameters(on_meta(FaceNetNN1Config()).stages()[layer])
    assert stage_shapes(FaceNetNN1Config(), 220)[layer] == out
    assert round(found / unit) == parameters
    # a weight, or a bias, is used once for each cell: one operation each, as the paper counts
    assert round(found * out[1] * out[2] / M) == operations


@pytest.mark.parametrize(("layer", "parameters", "unit", "operations"), HEAD, ids=[row[0] for row in HEAD])
def test_a_row_of_the_head_is_met(layer: str, parameters: int, unit: float, operations: float) -> None:
    head: Any = resolve("head", "facenet_maxout")
    with torch.device("meta"):
        found = _parameters(getattr(head.build(256, 7, 7), layer))
    assert round(found / unit) == parameters
    assert found / M == pytest.approx(operations, abs=0.5 if operations > 1 else 0.05)


def test_the_sum_is_the_papers() -> None:
    parts: list[Any] = [resolve("head", "facenet_maxout"), resolve("loss", "softmax")]
    found = count(FaceNetNN1Config(), parts[0], parts[1], classes=2, size=220)
    assert found.parameters == 140_025_664
    assert round(found.parameters / 1e6) == 140
    assert round(found.flops / 2e9, 1) == 1.6


def test_there_are_eleven_convolutions_and_four_poolings_three_by_three() -> None:
    layers = list(on_meta(FaceNetNN1Config()).modules())
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in layers) == 11
    assert [layer.kernel_size for layer in layers if isinstance(layer, torch.nn.MaxPool2d)] == [3] * 4


def test_an_image_of_another_size_runs_and_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    backbone = FaceNetNN1Config().build()
    features = backbone(torch.rand(2, 3, 70, 50) * 2 - 1)
    assert features.shape == (2, 256, 3, 2)
    assert features.std() > 0.05  # the image still shows in the map
    features.square().sum().backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in backbone.parameters())
