"""Change of the decoded image when one location of a channel, its maximum, is set to zero (Xu et al., 2023, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from modules.attribution.incremental_decoder import Incremental, applies

__all__ = ["applies", "weighted"]

Masking = Literal["per_channel", "cumulative"]
Norm = Literal["l2", "min_max"]
_BATCH = 32  # channels whose windows are in memory at a time


def weighted(
    decoder: nn.Module, features: Tensor, weights: Tensor, masking: Masking, norm: Norm, cells: Tensor | None = None
) -> tuple[np.ndarray, int]:
    """Returns (H (height, width) float64, dead channels) of a feature map (C, h, w): sum over channels of weight x residual.

    A residual is the mean over RGB of the absolute difference of the two decoded images, normalized over all pixels. A residual
    of all zeros (the channel does not affect the image) stays zero. If several maxima of a channel are equal, the FIRST one is
    masked; ``cells`` (C,) overrides the location, as a row-major index. No gradients; the network is in evaluation mode.
    Channels are summed location by location.
    """
    place = features.flatten(1).argmax(1) if cells is None else cells
    rows, columns = place // features.shape[2], place % features.shape[2]
    if not applies(decoder):
        parts = _full(decoder, features, rows, columns, masking)
    elif masking == "cumulative":
        parts = _cumulative(decoder, features, rows, columns)
    else:
        parts = _windows(decoder, features, rows, columns)
    total, dead, weight = None, 0, weights.tolist()
    for part in parts:
        if total is None:
            total = np.zeros(part.shape)
        values = part.values.double().cpu().numpy()
        scaled = _normalized(values, norm, values.size == total.size)
        dead += scaled is None
        if scaled is not None:
            height, width = scaled.shape
            total[part.top : part.top + height, part.left : part.left + width] += weight[part.channel] * scaled
    assert total is not None, "a map without channels"
    return total, dead


@dataclass(frozen=True)
class _Part:
    """The window (n, m) of the image that changes when ``channel`` is masked; the rest is unchanged."""

    channel: int
    shape: tuple[int, int]
    top: int
    left: int
    values: Tensor


def _normalized(part: np.ndarray, norm: Norm, whole: bool) -> np.ndarray | None:
    """Normalizes ``part`` of an image that is zero elsewhere (or is the ``whole`` image); None if all differences are 0."""
    if norm == "l2":
        length = np.sqrt((part**2).sum())
        return part / length if length > 0 else None
    low = part.min() if whole else 0.0
    span = part.max() - low
    if whole and span > 0:
        return (part - low) / span
    return part / span if span > 0 else None


def _windows(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor) -> Iterator[_Part]:
    """Batches channels that are masked at the same location, since they change the same window."""
    state = Incremental(decoder, features)
    shape = (state.image.shape[0], state.image.shape[1])
    cells: dict[tuple[int, int], list[int]] = {}
    for channel, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        cells.setdefault(cell, []).append(channel)
    for (row, column), members in sorted(cells.items()):
        for channels in torch.tensor(members, device=features.device).split(_BATCH):
            found = state.change(channels, row, column, features.new_zeros(len(channels)))
            differ = (found.values - found.before).abs_().mean(3)
            for channel, one in zip(channels.tolist(), differ, strict=True):
                yield _Part(channel, shape, found.top, found.left, one)


def _cumulative(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor) -> Iterator[_Part]:
    state = Incremental(decoder, features)
    before = state.image.clone()
    shape = (before.shape[0], before.shape[1])
    for channel, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        state.change(torch.tensor([channel], device=features.device), row, column, features.new_zeros(1), keep=True)
        yield _Part(channel, shape, 0, 0, (state.image - before).abs_().mean(2))


def _full(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor, masking: Masking) -> Iterator[_Part]:
    before = decoder(features[None])[0]
    shape = (before.shape[1], before.shape[2])
    masked = features.clone()
    for channel, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        if masking == "per_channel":
            masked = features.clone()
        masked[channel, row, column] = 0
        yield _Part(channel, shape, 0, 0, (decoder(masked[None])[0] - before).abs().mean(0))
