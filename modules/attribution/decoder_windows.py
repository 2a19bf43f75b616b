"""Incremental decoding of many changes at different locations at once, each in its own window of the decoded image.

``modules.attribution.incremental_decoder`` decodes the changes of one location together and crops their window at the border.
Here the windows of all locations have one shape, and parts outside the image are zero: a few large operations instead of many
small ones, which suits a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from modules.attribution.incremental_decoder import Incremental, convolved


@dataclass(frozen=True)
class Differences:
    """What B changes of a feature map (C, h, w) change in the decoded image.

    Attributes:
        values: (B, n, n, channels), the changed image minus the decoded one, zero outside the image; n = 3 s - 2, where s is
            the factor by which the decoder enlarges
        inside: bool (B, n, n), whether a pixel of the window is in the image
    """

    values: Tensor
    inside: Tensor


def differences(state: Incremental, channels: Tensor, rows: Tensor, columns: Tensor, values: Tensor) -> Differences:
    """Sets location (``rows[b]``, ``columns[b]``) of channel ``channels[b]`` to ``values[b]``, all (B,), each change alone."""
    step = values - state.features[channels, rows, columns]
    spread = state.layers[0].weight[channels] * step[:, None, None, None]
    top, left = rows, columns
    for number, layer in enumerate(state.layers):
        top, left = 2 * top - 1, 2 * left - 1
        height, width = state.sums[number].shape[:2]
        down = top[:, None] + torch.arange(spread.shape[1], device=top.device)
        across = left[:, None] + torch.arange(spread.shape[2], device=top.device)
        inside = ((down >= 0) & (down < height))[:, :, None] & ((across >= 0) & (across < width))[:, None, :]
        place = down.clamp(0, height - 1)[:, :, None], across.clamp(0, width - 1)[:, None, :]
        sums = state.sums[number][place] + spread
        after = layer.rest(sums.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        change = torch.where(inside[..., None], after - state.values[number][place], 0)
        if number + 1 < len(state.layers):
            spread = convolved(change, state.layers[number + 1])
    return Differences(change, inside)


def placed(windows: Tensor, height: int, width: int) -> Tensor:
    """Sum (H, W) of one window (n, n) for each location of a feature map (h, w), given as (h w, n, n), at its place."""
    side = windows.shape[1]
    scale = (side + 2) // 3
    size = (height * scale, width * scale)
    columns = windows.flatten(1).T[None]  # the window of a location begins scale - 1 pixels before its own pixels
    return functional.fold(columns, size, (side, side), padding=scale - 1, stride=scale)[0, 0]
