"""Pooling of a feature map to a vector, the first step of heads."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Pool = Literal["average", "max", "flatten"]


def pooled(features: Tensor, pool: Pool) -> Tensor:
    """(N, C, h, w) to (N, C), the mean or the maximum over all locations, or flattened to (N, C h w)."""
    if pool == "average":
        return features.mean(dim=(2, 3))
    if pool == "max":
        return features.amax(dim=(2, 3))
    return features.flatten(1)


def pooled_width(channels: int, height: int, width: int, pool: Pool) -> int:
    """Length of the vector returned by ``pooled``."""
    return channels * height * width if pool == "flatten" else channels
