"""Change of the decoded image when one location of a channel, its maximum, is set to zero (Xu et al., 2023, Algorithm 1).

There are three ways to decode, with equal results up to rounding:

* ``by_location``: incrementally, the channels that are masked at one location together. Fewest operations; for a CPU.
* ``together``: incrementally, channels of all locations together, in large batches; for a GPU.
* ``full``: whole images in batches, for decoders that ``incremental_decoder`` does not support, and for ``cumulative`` on a
  GPU, where each increment would have to wait for the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.attribution.batch_size import batch_size
from modules.attribution.decoder_windows import differences, placed
from modules.attribution.incremental_decoder import Incremental, applies

Masking = Literal["per_channel", "cumulative"]
Norm = Literal["l2", "min_max"]
Decode = Literal["by_location", "together", "full"]
_BATCH = {"by_location": 32, "together": 128}  # channels whose windows are in memory at a time


def decode_of(decoder: nn.Module, masking: Masking, device: torch.device) -> Decode:
    """The fastest way to decode on a device."""
    if not applies(decoder):
        return "full"
    if device.type == "cuda":
        return "full" if masking == "cumulative" else "together"
    return "by_location"


def weighted(
    decoder: nn.Module,
    features: Tensor,
    weights: Tensor,
    masking: Masking,
    norm: Norm,
    cells: Tensor | None = None,
    decode: Decode | None = None,
) -> tuple[np.ndarray, int]:
    """Returns (H (height, width) float64, dead channels) of a feature map (C, h, w): sum over channels of weight x residual.

    A residual is the mean over RGB of the absolute difference of the two decoded images, normalized over all pixels. A residual
    of all zeros (the channel does not affect the image) stays zero. If several maxima of a channel are equal, the FIRST one is
    masked; ``cells`` (C,) overrides the location, as a row-major index. No gradients; the network is in evaluation mode.

    ``decode``: None: as ``decode_of``. The sum is made on the device of ``features`` in float64, and copied once.
    """
    place = features.flatten(1).argmax(1) if cells is None else cells
    way = decode or decode_of(decoder, masking, features.device)
    total, dead = _weighted(decoder, features, weights, masking, norm, place, way)
    return total.cpu().numpy(), int(dead)


def _weighted(
    decoder: nn.Module, features: Tensor, weights: Tensor, masking: Masking, norm: Norm, place: Tensor, way: Decode
) -> tuple[Tensor, Tensor]:
    """(H, dead channels) on the device of ``features``, from which nothing is read; ``weights`` may be on another."""
    assert way != "together" or masking == "per_channel", "cumulative changes depend on each other"
    weights = weights.to(features.device, torch.float64)
    if way == "together":
        return _together(decoder, features, weights, norm, place)
    if way == "full":
        return _summed(_full(decoder, features, place, masking), weights, norm)
    rows, columns = place // features.shape[2], place % features.shape[2]
    parts = (_cumulative if masking == "cumulative" else _by_location)(decoder, features, rows, columns)
    return _summed(parts, weights, norm)


@dataclass(frozen=True)
class _Part:
    """The windows (B, n, m) of the image that change when each of ``channels`` is masked; the rest is unchanged."""

    channels: Tensor
    shape: tuple[int, int]
    top: int
    left: int
    values: Tensor


def _summed(parts: Iterator[_Part], weights: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """Returns (H, dead channels)."""
    total = None
    dead = torch.zeros((), dtype=torch.int64, device=weights.device)
    for part in parts:
        if total is None:
            total = weights.new_zeros(part.shape)
        height, width = part.values.shape[1:]
        values = part.values.double()
        low = values.amin((1, 2)) if (height, width) == part.shape else values.new_zeros(len(values))
        scaled, alive = _normalized(values, norm, low)
        dead += (~alive).sum()
        share = (weights[part.channels, None, None] * scaled).sum(0)
        total[part.top : part.top + height, part.left : part.left + width] += share
    assert total is not None, "a map without channels"
    return total, dead


def _normalized(parts: Tensor, norm: Norm, low: Tensor) -> tuple[Tensor, Tensor]:
    """Normalizes B residuals, which are zero outside their windows (B, n, m); ``low`` (B,) is the smallest value of a residual.

    Also returns, bool (B,), which of them are not all zero; those that are, stay so.
    """
    if norm == "l2":
        low = torch.zeros_like(low)
        length = parts.square().sum((1, 2)).sqrt()
    else:
        length = parts.amax((1, 2)) - low
    alive = length > 0
    scaled = (parts - low[:, None, None]) / torch.where(alive, length, 1)[:, None, None]
    return torch.where(alive[:, None, None], scaled, 0), alive


def _together(decoder: nn.Module, features: Tensor, weights: Tensor, norm: Norm, place: Tensor) -> tuple[Tensor, Tensor]:
    """Returns (H, dead channels). Windows of one location are added by a matrix product, whose order of sums is fixed."""
    state = Incremental(decoder, features)
    _, height, width = features.shape
    windows = None
    dead = torch.zeros((), dtype=torch.int64, device=features.device)
    for channels in torch.arange(len(features), device=features.device).split(_BATCH["together"]):
        rows, columns = place[channels] // width, place[channels] % width
        found = differences(state, channels, rows, columns, features.new_zeros(len(channels)))
        values = found.values.abs().mean(3).double()
        whole = found.inside.sum((1, 2)) == state.image.shape[0] * state.image.shape[1]
        least = torch.where(found.inside, values, torch.inf).amin((1, 2))
        scaled, alive = _normalized(values, norm, torch.where(whole, least, 0))
        dead += (~alive).sum()
        where = functional.one_hot(place[channels], height * width).double()  # (B, h w)
        share = (where * weights[channels, None]).T @ scaled.flatten(1)
        windows = share if windows is None else windows + share
    assert windows is not None, "a map without channels"
    side = found.inside.shape[1]
    return placed(windows.view(-1, side, side), height, width), dead


def _by_location(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor) -> Iterator[_Part]:
    """Batches channels that are masked at the same location, since they change the same window."""
    state = Incremental(decoder, features)
    shape = (state.image.shape[0], state.image.shape[1])
    cells: dict[tuple[int, int], list[int]] = {}
    for channel, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        cells.setdefault(cell, []).append(channel)
    for (row, column), members in sorted(cells.items()):
        for channels in torch.tensor(members, device=features.device).split(_BATCH["by_location"]):
            found = state.change(channels, row, column, features.new_zeros(len(channels)))
            yield _Part(channels, shape, found.top, found.left, (found.values - found.before).abs_().mean(3))


def _cumulative(decoder: nn.Module, features: Tensor, rows: Tensor, columns: Tensor) -> Iterator[_Part]:
    state = Incremental(decoder, features)
    before = state.image.clone()
    shape = (before.shape[0], before.shape[1])
    for channel, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        channels = torch.tensor([channel], device=features.device)
        state.change(channels, row, column, features.new_zeros(1), keep=True)
        yield _Part(channels, shape, 0, 0, (state.image - before).abs_().mean(2)[None])


def _full(decoder: nn.Module, features: Tensor, place: Tensor, masking: Masking) -> Iterator[_Part]:
    """The unchanged image is decoded in a batch of the same shape, so that a channel without effect gives exactly zero."""
    count, height, width = features.shape
    image = decoder(features[None])
    shape = (image.shape[2], image.shape[3])
    batch = batch_size(1, image, count)
    before = image if batch == 1 else decoder(features.expand(batch, -1, -1, -1))
    every = torch.arange(count, device=features.device)
    chosen = functional.one_hot(place, height * width).bool().view(1, count, height, width)  # the masked locations
    for start in range(0, count, batch):
        rows = torch.arange(start, start + batch, device=features.device)[:, None]  # those beyond the last mask nothing of use
        masked = every == rows if masking == "per_channel" else every <= rows
        images = decoder(torch.where(masked[:, :, None, None] & chosen, 0, features))
        known = min(batch, count - start)
        yield _Part(every[start : start + known], shape, 0, 0, (images - before).abs().mean(1)[:known])
