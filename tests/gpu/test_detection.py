"""MTCNN on the device finds the boxes that it finds on the CPU, whether or not the process allows TF32."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from datamodules.detectors.mtcnn import MTCNNConfig
from datamodules.images import read_image

PIXELS = 1e-3
PHOTOGRAPHS = Path(os.environ.get("FACEGRID_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data/lfw/images"


def drawn(count: int) -> list[np.ndarray]:
    """Drawn faces of 250 pixels, one per subject."""
    config = resolve("data", {"name": "drawn", "subjects": count, "shots": 1, "size": 250})
    faces = config.build(config.scan(None))
    return [faces.image(row) for row in range(count)]


def photographs(count: int) -> list[np.ndarray]:
    files = sorted(PHOTOGRAPHS.glob("*/*.jpg"))
    if not files:
        pytest.skip("no photographs of LFW (set FACEGRID_SHARED to the folder that has data/lfw)")
    return [read_image(file) for file in files[:: len(files) // count][:count]]


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("source", ["drawn", "photographs"])
def test_boxes_are_those_of_the_cpu(device: str, source: str, tf32: bool) -> None:
    count = 24 if device == "cuda" else 3
    images = drawn(count) if source == "drawn" else photographs(count)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    cpu, here = (MTCNNConfig().build(place).detect(images) for place in ("cpu", device))
    assert sum(one.found for one in cpu) > count / 2, "faces are found, so equality means something"
    for number, (one, other) in enumerate(zip(cpu, here, strict=True)):
        assert one.found == other.found, number
        if one.found:
            assert np.abs(np.subtract(one.box, other.box)).max() < PIXELS, number
            assert np.abs(np.subtract(one.landmarks, other.landmarks)).max() < PIXELS, number
            assert abs(one.score - other.score) < 1e-4, number


def test_boxes_do_not_depend_on_the_other_images(device: str) -> None:
    """To the last bit on a CPU, where images are detected one by one; a GPU detects batches."""
    images = drawn(12 if device == "cuda" else 3)
    detector = MTCNNConfig().build(device)
    alone = [detector.detect([image])[0] for image in images]
    assert any(one.found for one in alone)
    together = detector.detect(images[::-1])[::-1]
    if device == "cpu":
        assert together == alone
    for one, other in zip(together, alone, strict=True):
        assert one.found == other.found
        assert not one.found or np.abs(np.subtract(one.box, other.box)).max() < PIXELS
