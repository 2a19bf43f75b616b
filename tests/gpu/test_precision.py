"""Every precision by the real trainer: losses stay finite, also in the validation after four steps."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from smallest_settings import BACKBONES, DEEP, LOSSES
from training_runs import faces, recognizer, train

from datamodules.datamodule import FaceDataModule
from modules.training.recognizer import Recognizer

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
STEPS = 4


def check(accelerator: str, precision: str, size: int, backbone: Any, **more: Any) -> None:
    data = faces(STEPS, size)
    finite(recognizer(data, backbone, **more), data, accelerator, precision)


def finite(trained: Recognizer, data: FaceDataModule, accelerator: str, precision: str) -> None:
    assert data.steps_per_epoch == STEPS
    (row,) = train(trained, data, accelerator, precision).history
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
    """Its map has stride 16, so four layers lead back to the image. Normalization statistics are those of a batch: with the
    first ones, a network of this depth that was never trained computes 1e24."""
    data = faces(STEPS, 112 if accelerator == "gpu" else 32)
    made = recognizer(data, "iresnet", decoder="transposed", trainable="decoder", optimizer="adamw", lr=0.001)
    for part in made.network.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.momentum = 1.0
    with torch.no_grad():
        images = torch.rand(8, 3, *2 * (data.crops.size,), generator=torch.Generator().manual_seed(0)) * 2 - 1
        made.network.decoder(made.network.train().features(images))
    finite(made, data, accelerator, precision)
