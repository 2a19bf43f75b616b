"""Trainings of a few steps by the real trainer, data module and recipe, on random images in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from configs.lookup import resolve
from datamodules.crops import CropTable
from datamodules.datamodule import FaceDataModule
from modules.network import Network
from modules.training.checkpointing import Checkpointing
from modules.training.ranks import Rank
from modules.training.recognizer import Recognizer
from modules.training.stopped import Stopped
from modules.training.trainer import fit

CLASSES, BATCH = 4, 8


def faces(steps: int, size: int, batch: int = BATCH, workers: int = 0, augmentation: Any = "none") -> FaceDataModule:
    """Random images uint8, of ``CLASSES`` brightnesses: ``steps`` batches to train on, one and a half to validate on."""
    cut = steps * batch
    images = cut + batch + batch // 2
    labels = np.arange(images) % CLASSES
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 160, (images, size, size, 3), np.uint8) + (20 * labels[:, None, None, None]).astype(np.uint8)
    table = CropTable(pixels, size, np.arange(images), 0)
    return FaceDataModule(
        table,
        labels,
        range(cut),
        range(cut, images),
        resolve("augmentation", augmentation).build(),
        batch_size=batch,
        seed=0,
        workers=workers,
        batches=resolve("batches", {"name": "pk", "images": 2}),
    )


def recognizer(data: FaceDataModule, backbone: Any, loss: Any = "softmax", **more: Any) -> Recognizer:
    """A network with its recipe.

    Args:
        more: ``head`` and ``decoder``; ``change``, called with the network before its optimizer is made; otherwise fields of
            the recipe
    """
    change = more.pop("change", None)
    head, decoder = more.pop("head", "gap_bn"), more.pop("decoder", None)
    recipe = resolve("recipe", {"name": "one_cycle", "epochs": 1, "batch_size": data.batch_size, **more})
    torch.manual_seed(0)
    parts = (("backbone", backbone), ("head", head), ("loss", loss))
    network = Network(
        *(resolve(*part) for part in parts),
        CLASSES,
        data.crops.size,
        decoder=None if decoder is None else resolve("decoder", decoder),
    )
    if hasattr(network.loss, "prepare"):
        network.loss.prepare(torch.full((CLASSES,), len(data.train_rows) // CLASSES))
    if change is not None:
        change(network)
    return Recognizer(network, recipe, seed=3, steps_per_epoch=data.steps_per_epoch // recipe.accumulate)


class Saves:
    """Keeps the last checkpoint, and asks to stop after a number of steps."""

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.left = folder, stop_after
        self.last: Path | None = None

    def save(self, epoch: int, batch: int | None, write: Callable[[Path], None], row: Any) -> None:
        self.last = self.folder / f"{epoch}-{batch}.ckpt"
        write(self.last)

    def stop(self) -> bool:
        if self.left is None:
            return False
        self.left -= 1
        return self.left == 0


def train(
    one: Recognizer,
    data: FaceDataModule,
    accelerator: str,
    precision: str = "32-true",
    saves: Saves | None = None,
    checkpoint: Path | None = None,
    callbacks: Sequence[Any] = (),
    rank: Rank | None = None,
) -> Recognizer:
    """Runs the training, with deterministic algorithms, until it ends or ``saves`` stops it."""
    watch = [] if saves is None else [Checkpointing(saves.save, stop_requested=saves.stop)]
    try:
        fit(
            one,
            data,
            accelerator=accelerator,
            rank=rank,
            precision=precision,
            threads=1,
            checkpoint=checkpoint,
            callbacks=[*watch, *callbacks],
        )
    except Stopped:
        assert saves is not None
    return one


def differing(one: Recognizer, other: Recognizer) -> list[str]:
    """The names of weights and buffers that are not the same bits."""
    here, there = one.state_dict(), other.state_dict()
    assert here.keys() == there.keys()
    return [name for name, value in here.items() if not torch.equal(value.cpu(), there[name].cpu())]
