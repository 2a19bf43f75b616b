"""The CPU does not wait for the GPU in a step of training or validation, nor once per batch of an explanation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from explaining import EXPLAINERS, MORE, maps_of
from smallest_settings import BACKBONES, LOSSES
from training_runs import Saves, faces, recognizer, train

from configs.lookup import resolve
from configs.network_interfaces import ExpectingLoss
from modules.layers.margin_softmax import keep_unsampled
from modules.layers.synchronized_batch_norm import synchronize
from modules.training.ranks import one_of

WARM, STEPS = 2, 8  # steps in which memory, handles and optimizer state are first made; all steps
WAITING = "offline triplets"  # whose identities in earlier batches are known on the device only


@contextmanager
def unsynchronized() -> Iterator[None]:
    """Raises where the CPU waits for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Guard(pl.Callback):
    """Forbids waiting in all steps but the first ones; batches are copied to the device before a step begins."""

    def __init__(self) -> None:
        self.guarded = {"train": 0, "validation": 0}

    def _begin(self, kind: str, number: int) -> None:
        if number >= (WARM if kind == "train" else 1):
            self.guarded[kind] += 1
            torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self._begin("train", batch_idx)

    def on_validation_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._begin("validation", batch_idx)

    def on_train_batch_end(self, *args: Any) -> None:
        torch.cuda.set_sync_debug_mode("default")

    on_validation_batch_end = on_exception = on_train_batch_end


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    ("backbone", "more"),
    [
        *((title, {}) for title in BACKBONES),
        ("mobilefacenet", {"loss": {"name": "arcface", "sample": 0.5}, "optimizer": "adamw", "clip": 1.0, "ema": 0.9}),
        ("mobilefacenet", {"loss": "triplet"}),
        ("mobilefacenet", {"decoder": "transposed", "trainable": "decoder"}),
    ],
    ids=str,
)
def test_a_step_of_the_trainer_does_not_wait(cuda: str, backbone: str, more: dict[str, Any], precision: str) -> None:
    """Half precision with scaled gradients is left out: the scaler reads whether they overflowed."""
    config, size = BACKBONES[backbone]
    data, guard = faces(STEPS, size), Guard()
    train(recognizer(data, config, **more), data, "gpu", precision, callbacks=[guard])
    assert guard.guarded == {"train": STEPS - WARM, "validation": 1}


class RankGuard(Guard):
    """As ``Guard``, also between steps, where a trainer asks other ranks."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx + 1 == STEPS:
            torch.cuda.set_sync_debug_mode("default")


ARCFACE = {"name": "arcface", "scale": 16.0}
ADAMW = {"optimizer": "adamw", "clip": 1.0, "ema": 0.9}
ON_RANKS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "mining": {"loss": "triplet"},
    "sampled classes": {"loss": {**ARCFACE, "sample": 0.5}},
    "shared classes": {"loss": ARCFACE, "change": lambda network: network.loss.share(0, 2)},
    "sampled and shared classes": {"loss": {**ARCFACE, "sample": 0.5}, "change": lambda network: network.loss.share(0, 2)},
    "shared classes, clipping and an average": {"loss": ARCFACE, "change": lambda network: network.loss.share(0, 2), **ADAMW},
    "synchronized batch normalization": {"change": synchronize},
    "clipping and an average": ADAMW,
    "decoder": {"decoder": "transposed", "trainable": "decoder"},
}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("title", ON_RANKS)
def test_nor_does_one_of_several_ranks(cuda: str, tmp_path: Path, title: str, precision: str) -> None:
    """In a group whose collectives do nothing, so that only waiting of this process is found."""
    run_one_rank(tmp_path, "gpu", title, precision)


def run_one_rank(place: Path, accelerator: str, title: str, precision: str) -> None:
    data, guard = faces(STEPS, 64), RankGuard()
    with one_of(2) as rank:
        trained = recognizer(data, "mobilefacenet", **ON_RANKS[title])
        train(trained, data, accelerator, precision, Saves(place), callbacks=[guard], rank=rank)
    assert guard.guarded == {"train": STEPS - WARM, "validation": 1}


@pytest.mark.parametrize("title", [one for one in LOSSES if one != WAITING])
def test_a_step_of_a_loss_does_not_wait(cuda: str, title: str) -> None:
    """Mining, sampled classes and centers included, at a size with several blocks of anchors."""
    images, dimension, classes = 256, 32, 1000
    torch.manual_seed(0)
    loss = resolve("loss", LOSSES[title]).build(dimension, classes).to(cuda).train()
    if hasattr(loss, "prepare"):
        loss.prepare(torch.ones(classes, dtype=torch.int64, device=cuda))
    layer = torch.nn.Linear(dimension, dimension).to(cuda)
    optimizer = torch.optim.SGD([*layer.parameters(), *loss.parameters()], 0.01, momentum=0.9)
    keep_unsampled(loss, optimizer)
    batches = [torch.randn(images, dimension, device=cuda) for _ in range(STEPS)]
    known = torch.arange(images) // 4
    labels = known.to(cuda)

    def step(batch: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        if isinstance(loss, ExpectingLoss):
            loss.expect(known)
        value: torch.Tensor = loss(layer(batch), labels)
        value.backward()
        optimizer.step()
        return value.detach()

    for batch in batches[:WARM]:
        step(batch)
    with unsynchronized():
        values = [step(batch) for batch in batches[WARM:]]
    assert bool(torch.stack(values).isfinite().all())


def waits(title: str, changes: dict[str, Any]) -> int:
    """How often the CPU waits for the GPU in one explanation."""
    maps_of(title, "cuda", torch.float32, **changes)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            maps_of(title, "cuda", torch.float32, **changes)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing CUDA operation" in str(one.message) for one in said)


@pytest.mark.parametrize("title", MORE)
def test_an_explanation_does_not_wait_once_per_batch(cuda: str, title: str) -> None:
    assert title in EXPLAINERS
    few, many = (waits(title, changes) for changes in MORE[title])
    assert few > 0, "an explanation ends by copying its maps, so this test would see waiting"
    assert many <= few, f"{few} waits for few batches, {many} for many"
