"""Positions of patches: only whole patches, the last one flush with the border, so that every pixel is covered."""

from __future__ import annotations

import numpy as np

from modules.attribution.explainer import Refused


def count(size: tuple[int, int], patch: int, stride: int) -> int:
    """Number of patches on an image of that height and width, see ``places``; 1 if the patch is larger."""
    down, across = (-(-max(0, side - patch) // stride) + 1 for side in size)
    return down * across


def places(side: int, patch: int, stride: int) -> list[int]:
    """First pixels of the patches along one side: 0, stride, ..., and the last position at which a patch fits.

    Raises:
        Refused: ``patch_too_large``: the patch is larger than the image.
    """
    if patch > side:
        raise Refused("patch_too_large", f"a patch of {patch} pixels does not fit into an image of {side}; make patch smaller")
    found = list(range(0, side - patch + 1, stride))
    if found[-1] != side - patch:
        found.append(side - patch)
    return found


def spread(values: np.ndarray, rows: list[int], columns: list[int], patch: int, shape: tuple[int, int]) -> np.ndarray:
    """Map (H, W) float64 from patch values (rows, columns): each pixel is the mean over the patches that cover it."""
    total, counts = np.zeros(shape), np.zeros(shape)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            total[row : row + patch, column : column + patch] += values[i, j]
            counts[row : row + patch, column : column + patch] += 1
    assert counts.all(), "a pixel is under no patch"
    return total / counts
