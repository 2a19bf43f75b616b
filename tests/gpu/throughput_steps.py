"""A training step by Lightning, as every cell takes it, against a bare loop with the same arithmetic."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from throughput_table import Mark, Row, compared, large, rated

from configs.lookup import resolve
from modules.layers.margin_softmax import keep_unsampled
from modules.network import Network
from modules.training.determinism import unfilled
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit

WARM = 3  # steps in which memory and handles are first made
FASTEST = 8000.0  # images per second, the aim of a compiled iresnet-50


class Batches:
    """Batches that lie on the device, in turn: loading is measured on its own."""

    def __init__(self, made: list[Any], steps: int) -> None:
        self.made, self.steps = made, steps

    def __iter__(self) -> Iterator[Any]:
        return (self.made[step % len(self.made)] for step in range(self.steps))

    def __len__(self) -> int:
        return self.steps


class Memory(pl.LightningDataModule):
    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def start_batch(self, epoch: int, batch: int) -> None:
        pass

    def train_dataloader(self) -> Batches:
        return self.batches


class Ends(pl.Callback):
    """Marks the end of each step."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.marks: list[Mark] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.marks.append(Mark(self.device))


def spans(marks: list[Mark]) -> list[float]:
    return [one.until(other) for one, other in zip(marks[WARM - 1 :], marks[WARM:], strict=False)]


@contextmanager
def deterministic() -> Iterator[None]:
    """As in ``fit``, so that the bare loop runs the same kernels."""
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    try:
        with unfilled():
            yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False


class Case:
    """A network, a recipe and batches.

    Args:
        half: bf16-mixed, otherwise float32
        compiled: by torch.compile, as ``compute.compile`` does
    """

    def __init__(
        self, device: str, backbone: Any, loss: Any, classes: int, batch: int, half: bool, compiled: bool = False
    ) -> None:
        self.device, self.half, self.compiled = device, half, compiled
        self.size = large(device, 112, 64)
        self.batch, self.steps = large(device, batch, 4), WARM + large(device, 10, 1)
        classes = large(device, classes, 50)
        fields = {"name": "multi_step", "milestones": [0.999], "epochs": 1, "batch_size": self.batch, "channels_last": True}
        self.recipe = resolve("recipe", fields)
        torch.manual_seed(0)
        parts = (("backbone", backbone), ("head", {"name": "gap_bn", "dropout": 0}), ("loss", loss))
        self.network = Network(*(resolve(*part) for part in parts), classes, self.size).to(device)
        draw = torch.Generator().manual_seed(1)
        self.made = []
        for _ in range(2):
            images = torch.randn(self.batch, 3, self.size, self.size, generator=draw)
            labels = torch.randint(classes, (self.batch,), generator=draw)
            self.made.append(tuple(one.to(device) for one in (images, labels, torch.arange(self.batch))))

    def _copied(self) -> Any:
        network = copy.deepcopy(self.network)
        if self.compiled:
            network.backbone.compile()
        return network

    def ours(self) -> list[float]:
        """Seconds of each step by Lightning."""
        ends = Ends(self.device)
        one = Recognizer(self._copied(), self.recipe, 0, steps_per_epoch=self.steps)
        fit(
            one,
            Memory(Batches(self.made, self.steps)),
            accelerator="gpu" if self.device == "cuda" else "cpu",
            precision="bf16-mixed" if self.half else "32-true",
            callbacks=[ends],
        )
        return spans(ends.marks)

    def bare(self) -> list[float]:
        """Seconds of each step of a plain loop."""
        network = self._copied().to(memory_format=torch.channels_last).train()
        optimizer = self.recipe.optimizer_of(network.parameters())
        keep_unsampled(network, optimizer)
        marks = []
        with deterministic():
            for images, labels, _ in Batches(self.made, self.steps):
                optimizer.zero_grad()
                with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
                    loss = network.loss_of(images.contiguous(memory_format=torch.channels_last), labels)
                loss.backward()
                optimizer.step()
                marks.append(Mark(self.device))
            return spans(marks)

    def median(self, kind: str) -> float:
        """Of ``ours`` or ``bare``."""
        return statistics.median(getattr(self, kind)())


def against_bare(work: str, case: Case, turns: int = 2) -> Row:
    """Two turns of each, the sides in turn."""
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for turn in range(turns):
        for kind in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            taken[kind] += getattr(case, kind)()
    ours, bare = (statistics.median(values) for values in taken.values())
    return compared(work, ours, bare, "bare loop", 1.02, case.batch)


def iresnet(device: str) -> Iterator[Row]:
    case = Case(device, "iresnet", "arcface", 10_000, 256, half=True)
    yield against_bare("step iresnet-50, ArcFace 10k, b256, bf16, channels_last", case)


def many_classes(device: str) -> Iterator[Row]:
    case = Case(device, "iresnet", "arcface", 100_000, 256, half=True)
    yield against_bare("the same, ArcFace 100k classes", case, turns=1)
    sampled = Case(device, "iresnet", {"name": "arcface", "sample": 0.1}, 100_000, 256, half=True)
    taken = {"sampled": sampled.median("ours"), "dense": case.median("ours")}
    yield compared("the same, 0.1 of 100k classes sampled", *taken.values(), "all classes", 1.0, case.batch)


def mobilefacenet(device: str) -> Iterator[Row]:
    case = Case(device, "mobilefacenet", "softmax", 10_000, 128, half=True)
    yield against_bare("step MobileFaceNet, softmax 10k, b128, bf16, channels_last", case)


def float32(device: str) -> Iterator[Row]:
    case = Case(device, "iresnet", "arcface", 10_000, 128, half=False)
    yield against_bare("step iresnet-50, ArcFace 10k, b128, float32 without TF32", case, turns=1)


def compiled(device: str) -> Iterator[Row]:
    """Compiling takes about a minute."""
    case = Case(device, "iresnet", "arcface", 10_000, 256, half=True, compiled=True)
    ours, bare = case.median("ours"), case.median("bare")
    yield compared("step iresnet-50, ArcFace 10k, b256, bf16, compiled", ours, bare, "bare loop", 1.02, case.batch)
    yield rated("the same, images per second", ours, case.batch, FASTEST)


ROWS = {"iresnet-50": iresnet, "100k classes": many_classes, "MobileFaceNet": mobilefacenet, "float32": float32}
SLOW = {"compiled": compiled}
