"""How the decoded image changes when one cell of a channel, its maximum, is set to zero (Xu et al., 2023, Algorithm 1)."""

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
    """(H (height, width) float64, dead channels) of a feature map (C, h, w): sum over channels of weight x residual.

    A residual is the mean over RGB of the absolute difference of the two decoded images, normalised over all pixels. One of
    zeros, whose channel does not reach the image, stays zero. The FIRST maximum of a channel is masked where several are equal;
    or ``cells`` (C,) says which cell, counted along the rows. No gradients; the network is in evaluation mode. Channels are
    summed cell by cell.
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
        scaled = _normalised(values, norm, values.size == total.size)
        dead += scaled is None
        if scaled is not None:
            height, width = scaled.shape
            total[part.top : part.top + height, part.left : part.left + width] += weight[part.channel] * scaled
    assert total is not None, "a map without channels"
    return total, dead


@dataclass(frozen=True)
class _Part:
    """What differs in the image (n, m) when ``channel`` is masked; elsewhere nothing does."""

    channel: int
    shape: tuple[int, int]
    top: int
    left: int
    values: Tensor


def _normalised(part: np.ndarray, norm: Norm, whole: bool) -> np.ndarray | None:
    """``part`` of an image that is zero elsewhere, or the ``whole`` of it; None where nothing differs."""
    if norm == "l2":
        length = np.sqrt((part**2).sum())
        return part / length if length > 0 else None
    low = part.min() if whole else 0.0
    span = part.max() - low
    if whole and span > 0:
        return (part - low) / span
    return part / span if span > 0 else None


def _windows(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor) -> Iterator[_Part]:
    """Channels that are masked in the same cell change the same window, so they go together."""
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
