"""Augmentation of batches where the network is trained, against `basic` in loader processes: ratios of images a second.

Random crops of 112 pixels in memory, in turns in one process. Loading is what one process prepares alone. Training is the real
trainer with a loader process and a small network, on a CPU: there the training's own process computes the pixels, and a step
takes so long that no loader limits it. Neither says how fast a GPU is.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from configs.lookup import resolve
from datamodules.crops import CropTable
from datamodules.datamodule import FaceDataModule
from modules.network import Network
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit

SIZE, BATCH, STEPS, WARM, TURNS = 112, 32, 12, 4, 3
TABLE = CropTable(
    np.random.default_rng(0).integers(0, 256, (BATCH * STEPS, SIZE, SIZE, 3), np.uint8), SIZE, np.arange(BATCH * STEPS), 0
)
BASIC, DEVICE = {"name": "basic"}, {"name": "batch"}
EVERYTHING = {"name": "batch", "gray": 0.1, "erase": 0.5}
SMALL = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
LOADED, TRAINED = 4.0, 0.5  # the least ratios


def faces(augmentation: Any, workers: int = 0) -> FaceDataModule:
    labels, built = np.arange(len(TABLE)) % 8, resolve("augmentation", augmentation).build()
    return FaceDataModule(TABLE, labels, range(len(TABLE)), [], built, BATCH, 0, workers)


def loaded(augmentation: Any) -> float:
    """Images a second that one process prepares."""
    batches = faces(augmentation).batches_here()
    next(batches)
    began = time.perf_counter()
    return sum(len(batch[0]) for batch in batches) / (time.perf_counter() - began)


class Ends(pl.Callback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.perf_counter())


def trained(augmentation: Any) -> float:
    """Images a second of a training with a loader process, after its first steps."""
    torch.manual_seed(0)
    network = Network(resolve("backbone", SMALL), resolve("head", "gap_bn"), resolve("loss", "softmax"), 8, SIZE)
    recipe = resolve("recipe", {"name": "one_cycle", "epochs": 1, "batch_size": BATCH, "select": "last"})
    data, ends = faces(augmentation, workers=1), Ends()
    fit(Recognizer(network, recipe, 0, data.steps_per_epoch), data, threads=1, callbacks=[ends])
    return BATCH * (STEPS - WARM) / (ends.times[-1] - ends.times[WARM - 1])


def compared(measure: Any) -> dict[str, float]:
    """Medians over turns, by title."""
    titles = {"basic": BASIC, "batch": DEVICE, "batch with gray and erase": EVERYTHING}
    found: dict[str, list[float]] = {title: [] for title in titles}
    for _ in range(TURNS):
        for title, augmentation in titles.items():
            found[title].append(measure(augmentation))
    medians = {title: statistics.median(rates) for title, rates in found.items()}
    print(
        "".join(
            f"\n{title}: {rate:,.0f} images/s, {rate / medians['basic']:.2f} times basic" for title, rate in medians.items()
        )
    )
    return medians


def test_a_process_loads_more_images_than_with_basic() -> None:
    found = compared(loaded)
    assert found["batch"] / found["basic"] > LOADED


def test_a_training_on_the_cpu_is_not_much_slower() -> None:
    found = compared(trained)
    assert found["batch"] / found["basic"] > TRAINED
