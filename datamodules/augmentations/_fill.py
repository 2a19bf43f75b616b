"""Fill methods for removed image regions."""

from __future__ import annotations

from typing import Literal

import numpy as np

Fill = Literal["black", "gray", "mean", "noise"]
GRAY = 128  # the value closest to zero after normalization to [-1, 1]


def fill(image: np.ndarray, box: tuple[int, int, int, int], how: Fill, random: np.random.Generator) -> None:
    """Fills the pixels x0 <= x < x1, y0 <= y < y1 of ``image`` in place; the box is clipped to the image.

    Args:
        image: uint8 (height, width, 3)
        box: x0, y0, x1, y1 in pixels
        how: black, gray (128), the current mean color of the whole image, or noise: uniform for each value of each pixel
        random: random generator for the noise
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    part = image[max(y0, 0) : min(max(y1, 0), height), max(x0, 0) : min(max(x1, 0), width)]
    if how == "noise":
        part[:] = random.integers(0, 256, part.shape, np.uint8)
    elif how == "mean":
        part[:] = np.rint(image.mean(axis=(0, 1))).astype(np.uint8)
    else:
        part[:] = {"black": 0, "gray": GRAY}[how]
