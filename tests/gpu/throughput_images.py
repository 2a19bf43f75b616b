"""Images per second: loading, detection, and embeddings for an evaluation."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from test_detection import drawn
from throughput_table import Row, compared, large, medians, rated

from configs.lookup import resolve
from datamodules.crops import CropTable
from datamodules.datamodule import FaceDataModule
from datamodules.detectors.mtcnn import MTCNNConfig
from grid.stages.evaluate import embed
from modules.network import Network

SIZE, BATCH = 112, 256
PIPELINE = [
    "flip",
    "jpeg",
    "coarse_dropout",
    "blur",
    {"name": "erase_parts", "geometry": "centered"},
    "rotate",
    "zoom",
    "color",
]
NEEDED = 8000.0  # images per second of a compiled training step
EMBEDDED = 15_000.0  # images per second, the aim of an evaluation in bf16


def crops(folder: str, count: int) -> CropTable:
    """Random images in a file, as crops lie in the cache."""
    path = Path(folder, "crops.npy")
    np.save(path, np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8))
    return CropTable(np.load(path, mmap_mode="r"), SIZE, np.arange(count), 0)


def rate(device: str, table: CropTable, augmentation: Any, workers: int) -> tuple[int, float]:
    """Images that were loaded, copied to the device and augmented there, and seconds, after the loader has started."""
    labels = np.zeros(len(table), np.int64)
    built = resolve("augmentation", augmentation).build()
    data = FaceDataModule(table, labels, range(len(labels)), [], built, min(BATCH, len(labels) // 4), seed=0, workers=workers)
    loader = data.train_dataloader()
    images, began, batches = 0, time.perf_counter(), 0
    while True:
        for batch in loader:
            images += len(data.on_after_batch_transfer([part.to(device, non_blocking=True) for part in batch], 0)[0])
            batches += 1
            if batches == 3 + workers:  # its processes have started
                images, began = 0, time.perf_counter()
            elif batches > 3 + workers and time.perf_counter() - began > large(device, 1200, 100) / 1000:
                if device == "cuda":
                    torch.cuda.synchronize()
                return images, time.perf_counter() - began


def loading(device: str, augmentation: Any, what: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        table = crops(folder, large(device, 4096, 64))
        for workers in (0, 8, 14) if device == "cuda" else (0, 2):
            if workers > (os.cpu_count() or 1):
                continue
            images, seconds = rate(device, table, augmentation, workers)
            yield rated(f"loader from cached crops, {what}, {workers} workers", seconds, images, NEEDED if workers else None)


def flips(device: str) -> Iterator[Row]:
    return loading(device, "flip", "flip")


def pipeline(device: str) -> Iterator[Row]:
    return loading(device, {"name": "pipeline", "steps": PIPELINE}, "pipeline of 8 steps")


def batches(device: str) -> Iterator[Row]:
    return loading(device, {"name": "batch", "gray": 0.1, "erase": 0.5}, "batch on the device")


def detection(device: str) -> Iterator[Row]:
    images = drawn(large(device, 256, 2))
    before = torch.get_num_threads()
    torch.set_num_threads(min(8, os.cpu_count() or 1))
    try:
        here, there = MTCNNConfig().build(device), MTCNNConfig().build("cpu")
        taken = medians(device, {"ours": lambda: here.detect(images), "peer": lambda: there.detect(images)}, most=4)
    finally:
        torch.set_num_threads(before)
    yield compared("MTCNN, drawn faces of 250 px", taken["ours"], taken["peer"], "8 CPU threads", 0.1, len(images))


def evaluation(device: str) -> Iterator[Row]:
    torch.manual_seed(0)
    parts = (("backbone", "iresnet"), ("head", "gap_bn"), ("loss", "softmax"))
    network = Network(*(resolve(*part) for part in parts), 10, SIZE).eval().to(device)
    count = large(device, 2048, 8)
    pixels = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)
    table = CropTable(pixels, SIZE, np.arange(count), 0)
    context: Any = SimpleNamespace(
        device=device, accelerator="gpu", devices=1, helper=None, memory_probe=None, fast=False, report=lambda row: None
    )
    resident = torch.randn(min(BATCH, count), 3, SIZE, SIZE, device=device)

    @torch.inference_mode()
    def ours(precision: str) -> None:
        protocol: Any = SimpleNamespace(flip_test=False, multi_crop=None, precision=precision)
        assert len(embed(network, table, protocol, context)) == count

    @torch.inference_mode()
    def alone() -> None:
        for _ in range(count // len(resident)):
            network.embed(resident)

    taken = medians(device, {"ours": lambda: ours("32-true"), "peer": alone, "bf16": lambda: ours("bf16-mixed")}, most=4)
    work = "embedding for an evaluation, iresnet-50, float32 without TF32"
    yield compared(work, taken["ours"], taken["peer"], "the network alone", 1.1, count)
    yield rated("the same in bf16", taken["bf16"], count, EMBEDDED)


ROWS = {
    "loading, flip": flips,
    "loading, pipeline": pipeline,
    "loading, batch": batches,
    "MTCNN": detection,
    "embedding": evaluation,
}
