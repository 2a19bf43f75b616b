"""Triplet and center loss, forward and backward, against pytorch-metric-learning and the matrix form: time and memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from throughput_table import Row, compared, large, limited, medians, peak

from configs.lookup import resolve

Step = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def step(loss: Any, embeddings: torch.Tensor, labels: torch.Tensor) -> Step:
    """One forward and backward pass; returns the loss and the gradient of the embeddings."""

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        leaf = embeddings.clone().requires_grad_()
        value = loss(leaf, labels)
        value.backward()
        assert leaf.grad is not None
        return value.detach(), leaf.grad

    return run


def same(one: Step, other: Step) -> None:
    (value, slope), (wanted, steep) = one(), other()
    assert float(value) == pytest.approx(float(wanted), rel=1e-3)
    assert float((slope - steep).norm() / steep.norm()) < 1e-2


def clusters(device: str, images: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (images, 128) of subjects with four images each."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(images) // 4
    centers = torch.randn(images // 4, 128, generator=draw)
    return (centers[labels] + torch.randn(images, 128, generator=draw)).to(device), labels.to(device)


def semi_hard(device: str) -> Iterator[Row]:
    from pytorch_metric_learning import distances, losses, miners

    distance = distances.LpDistance(normalize_embeddings=True, p=2, power=2)
    theirs = losses.TripletMarginLoss(margin=0.2, distance=distance)
    miner = miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard", distance=distance)
    images = large(device, 1024, 128)
    ways: dict[str, Step] = {
        "ours": step(resolve("loss", "triplet").build(128, 2), *clusters(device, images)),
        "peer": step(lambda given, labels: theirs(given, labels, miner(given, labels)), *clusters(device, images)),
    }
    same(*ways.values())
    notes = tuple(f", {peak(device, run):,.0f} MiB" for run in ways.values())
    taken = medians(device, ways)
    work = "semi-hard triplets, B=1,024"
    yield compared(work, taken["ours"], taken["peer"], "pytorch-metric-learning", 1.0, notes=(notes[0], notes[1]))
    big = step(resolve("loss", "triplet").build(128, 2), *clusters(device, large(device, 4096, 128)))
    note = f", {peak(device, big):,.0f} MiB"
    yield limited("semi-hard triplets, B=4,096", medians(device, {"ours": big})["ours"], 0.010, note)


def center(device: str) -> Iterator[Row]:
    classes = large(device, 85_742, 100)
    draw = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(128, 512, generator=draw), torch.randint(classes, (128,), generator=draw)
    embeddings, labels = embeddings.to(device), labels.to(device)
    centers = torch.zeros(classes, 512, device=device, requires_grad=True)
    every = torch.arange(classes, device=device)

    def matrix(given: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        squares = given.square().sum(1)[:, None] + centers.square().sum(1)[None]
        distances = squares - 2 * given @ centers.T
        return (distances * (truth[:, None] == every)).sum() / 2 / len(truth)

    fixed = resolve("loss", {"name": "center", "alpha": 0}).build(512, classes).to(device)
    same(step(fixed, embeddings, labels), step(matrix, embeddings, labels))
    ours = resolve("loss", "center").build(512, classes).to(device)
    ways = {"ours": step(ours, embeddings, labels), "peer": step(matrix, embeddings, labels)}
    notes = [f", {peak(device, run):,.0f} MiB" for run in ways.values()]
    taken = medians(device, ways)
    yield compared("center loss, 85,742 classes", taken["ours"], taken["peer"], "matrix", 0.5, notes=(notes[0], notes[1]))


ROWS = {"semi-hard triplets": semi_hard, "center loss": center}
