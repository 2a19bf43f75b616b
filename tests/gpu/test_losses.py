"""Every loss: value, gradients and buffers on the device, against the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from on_device import GRADIENTS, VALUES, agree, gradient
from smallest_settings import CHANCE, FIXED, LOSSES

from configs.lookup import known, resolve

DIMENSION, CLASSES, IMAGES = 16, 12, 48
COMPARED = {title: FIXED.get(title, config) for title, config in LOSSES.items() if title not in CHANCE}


def test_every_file_is_tested() -> None:
    assert {resolve("loss", config).name for config in COMPARED.values()} | {"binary", "regression"} == set(known("loss"))


def compare(config: Any, labels: torch.Tensor, classes: int, device: str) -> None:
    """The second of two batches, so that what the first left in buffers counts."""
    torch.manual_seed(0)
    loss = resolve("loss", config).build(DIMENSION, classes)
    if hasattr(loss, "prepare"):
        loss.prepare(torch.bincount(labels.long(), minlength=classes) + torch.arange(classes))
    if hasattr(loss, "prepare_values"):
        loss.prepare_values(labels)
    centers = torch.randn(IMAGES, DIMENSION, generator=torch.Generator().manual_seed(1))
    draw = torch.Generator().manual_seed(2)
    batches = [centers[labels.long()] + torch.randn(IMAGES, DIMENSION, generator=draw) for _ in range(2)]
    state = {key: value.clone() for key, value in loss.state_dict().items()}
    learned = any(True for _ in loss.parameters())
    moving = [name for name, value in loss.named_buffers() if value.is_floating_point()]

    def run(place: str, dtype: torch.dtype) -> Mapping[str, Any]:
        loss.load_state_dict(state)
        loss.to(place, dtype).train()
        truth = labels.to(place, dtype) if labels.is_floating_point() else labels.to(place)
        for batch in batches:
            loss.zero_grad()
            leaf = batch.to(place, dtype, copy=True).requires_grad_()
            value = loss(leaf, truth)
            value.backward()
        found = {"value": value, "embeddings": leaf.grad, **{name: loss.get_buffer(name) for name in moving}}
        return {**found, **({"parameters": gradient(loss)} if learned else {})}

    floors = {"value": VALUES, "embeddings": GRADIENTS, **dict.fromkeys(moving, VALUES)}
    agree(run, device, {**floors, **({"parameters": GRADIENTS} if learned else {})})


@pytest.mark.parametrize("title", COMPARED)
def test_a_loss_computes_what_the_cpu_computes(device: str, title: str) -> None:
    compare(COMPARED[title], torch.arange(IMAGES) % CLASSES, CLASSES, device)


def test_two_classes(device: str) -> None:
    compare("binary", torch.arange(IMAGES) % 2, 2, device)


def test_numbers(device: str) -> None:
    compare("regression", torch.arange(IMAGES, dtype=torch.float32), 1, device)
