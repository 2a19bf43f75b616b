"""Every precision by the real trainer: losses stay finite, also in the validation after four steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
from components import BACKBONES, DEEP, LOSSES
from training_runs import faces, recognizer, train

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
STEPS = 4


def check(accelerator: str, precision: str, size: int, backbone: Any, **more: Any) -> None:
    data = faces(STEPS, size)
    assert data.steps_per_epoch == STEPS
    (row,) = train(recognizer(data, backbone, **more), data, accelerator, precision).history
    assert math.isfinite(row["train_loss"])
    assert row["validation_loss"] is not None
    assert math.isfinite(row["validation_loss"])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("title", BACKBONES)
def test_a_backbone_trains(accelerator: str, title: str, precision: str) -> None:
    backbone, size = BACKBONES[title]
    check(accelerator, precision, size, backbone)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("title", DEEP)
def test_a_deep_backbone_trains(accelerator: str, title: str, precision: str) -> None:
    """Their features exceed 65,504, the largest number of half precision, unless something prevents it."""
    backbone, size = DEEP[title]
    check(accelerator, precision, size if accelerator == "gpu" else 32, backbone)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("title", LOSSES)
def test_a_loss_trains(accelerator: str, title: str, precision: str) -> None:
    head = {"name": "dense", "dimension": 32, "hidden": [], "dropout": 0}
    check(accelerator, precision, 64, "mobilenetv3_small", loss=LOSSES[title], head=head)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("decoder", [{"name": "transposed", "layers": 5}, {"name": "unet"}], ids=["transposed", "unet"])
@pytest.mark.parametrize("backbone", ["resnet34", "efficientnet_b1"])
def test_a_decoder_trains_alone(accelerator: str, backbone: str, decoder: Any, precision: str) -> None:
    check(accelerator, precision, 64, backbone, decoder=decoder, trainable="decoder", optimizer="adamw", lr=0.001)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_decoder_trains_alone_on_a_deep_backbone(accelerator: str, precision: str) -> None:
    """Its map has stride 16, so four layers lead back to the image."""
    size = 112 if accelerator == "gpu" else 32
    more = {"decoder": "transposed", "trainable": "decoder", "optimizer": "adamw", "lr": 0.001}
    check(accelerator, precision, size, "iresnet", **more)
