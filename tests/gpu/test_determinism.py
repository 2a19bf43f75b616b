"""The same training twice has the same bits, with deterministic algorithms, for every backbone, loss and precision."""

from __future__ import annotations

from typing import Any

import pytest
from smallest_settings import BACKBONES, LOSSES
from training_runs import differing, faces, recognizer, train


def twice(accelerator: str, size: int, backbone: Any, precision: str = "32-true", workers: int = 0, **more: Any) -> None:
    data = [faces(4, size, workers=workers, augmentation="flip") for _ in range(2)]
    one, other = (train(recognizer(each, backbone, **more), each, accelerator, precision) for each in data)
    assert not differing(one, other)
    assert one.history == other.history
    start = recognizer(data[0], backbone, **more)
    assert differing(one, start), "nothing was trained"


@pytest.mark.parametrize("title", BACKBONES)
def test_a_backbone_is_trained_to_the_same_bits(accelerator: str, title: str) -> None:
    backbone, size = BACKBONES[title]
    twice(accelerator, size, backbone)


@pytest.mark.parametrize("title", LOSSES)
def test_a_loss_gives_the_same_bits(accelerator: str, title: str) -> None:
    twice(accelerator, 64, "mobilenetv3_small", loss=LOSSES[title])


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("name", ["mobilefacenet", "facenet_nn2", "efficientnet_b1", "vgg16"])
def test_half_precision_gives_the_same_bits(accelerator: str, name: str, precision: str) -> None:
    twice(accelerator, 64, name, precision)


def test_loader_processes_change_nothing(accelerator: str) -> None:
    twice(accelerator, 64, "mobilefacenet", workers=2, channels_last=True)
