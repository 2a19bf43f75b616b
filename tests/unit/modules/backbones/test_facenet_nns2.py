"""The operations that Schroff et al. (2015) state for NNS2."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.backbones.facenet_nns2 import FaceNetNNS2Config
from modules.model_complexity import count
from modules.shape_inference import stage_shapes


@pytest.mark.parametrize("size", [128, (140, 116)])
def test_it_takes_20_million_operations_within_a_tenth(size: Any) -> None:
    parts: list[Any] = [resolve("head", "l2"), resolve("loss", "softmax")]
    found = count(FaceNetNNS2Config(), parts[0], parts[1], classes=2, size=size)
    assert found.flops / 2 == pytest.approx(20e6, rel=0.1)  # a multiply-add is one operation in the paper


def test_the_last_map_is_the_stated_one() -> None:
    name, shape = list(stage_shapes(FaceNetNNS2Config(), 128).items())[-1]
    assert (name, shape) == ("inception5a", (384, 4, 4))


def test_batch_normalisation_costs_no_operation() -> None:
    parts: list[Any] = [resolve("head", "l2"), resolve("loss", "softmax")]
    counts = [count(FaceNetNNS2Config(batch_norm=on), parts[0], parts[1], classes=2, size=128) for on in (False, True)]
    assert counts[0].flops == counts[1].flops
    assert counts[0].parameters < counts[1].parameters


@pytest.mark.parametrize("batch_norm", [False, True])
def test_every_weight_gets_a_gradient(batch_norm: bool) -> None:
    torch.manual_seed(0)
    backbone = FaceNetNNS2Config(batch_norm=batch_norm).build()
    features = backbone(torch.rand(4, 3, 64, 40) * 2 - 1)
    assert features.shape == (4, backbone.channels, 2, 2)
    features.square().mul(torch.rand_like(features)).sum().backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in backbone.parameters())
