"""Codes, i.e. what a decoder decodes, and paths between codes.

The code of an image is its feature map, unless the decoder defines another one: ``code(features)`` and ``decode(code)``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_PARALLEL = 1e-6  # angle in radians below which the spherical path is replaced by the straight one


def code_of(decoder: Any, features: Tensor) -> Tensor:
    """Codes (N, ...) of feature maps (N, C, h, w)."""
    return decoder.code(features) if hasattr(decoder, "code") else features


def decoded(decoder: Any, codes: Tensor) -> Tensor:
    """Images (N, 3, H, W) of codes (N, ...), decoded one by one, so that equal codes give bit-identical images."""
    decode = getattr(decoder, "decode", decoder)
    return torch.cat([decode(code[None]) for code in codes])


def linear(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """(steps, ...): equidistant codes on the straight line from ``start`` to ``end``, both included and exact.

    Raises:
        ValueError: fewer than two steps.
    """
    return _path(start, end, steps, lambda part: (1 - part) * start + part * end)


def spherical(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """(steps, ...): codes whose direction turns at constant speed (Shoemake, SIGGRAPH 1985) and whose length changes linearly.

    Both ends are included and exact. Almost parallel codes are joined by the straight line.

    Raises:
        ValueError: fewer than two steps; a code is zero, or the codes are opposite, so that there is no shortest path.
    """
    lengths = start.double().norm(), end.double().norm()
    if float(min(lengths)) == 0:
        raise ValueError("a code of length 0 has no direction; use the straight line")
    first, last = start.double() / lengths[0], end.double() / lengths[1]
    # atan2 of chord lengths, because arccos is inexact for nearly parallel codes (Kahan)
    angle = 2 * torch.atan2((first - last).norm(), (first + last).norm())
    if float(torch.pi - angle) < _PARALLEL:
        raise ValueError("the codes are opposite, so there are many shortest paths between them; use the straight line")
    if float(angle) < _PARALLEL:
        return linear(start, end, steps)

    def at(part: float) -> Tensor:
        direction = (torch.sin((1 - part) * angle) * first + torch.sin(part * angle) * last) / torch.sin(angle)
        return (((1 - part) * lengths[0] + part * lengths[1]) * direction).to(start.dtype)

    return _path(start, end, steps, at)


def traversal(code: Tensor, channel: int, offsets: Tensor) -> Tensor:
    """(len(offsets), C, ...): the code (C, ...) with each offset added to one channel, at all locations."""
    found = code.repeat(len(offsets), *([1] * code.ndim))
    found[:, channel] += offsets.to(code).view(-1, *([1] * (code.ndim - 1)))
    return found


def _path(start: Tensor, end: Tensor, steps: int, at: Any) -> Tensor:
    if steps < 2:
        raise ValueError(f"a path has two ends, so it has two steps at least; found {steps}")
    between = [at(step / (steps - 1)) for step in range(1, steps - 1)]
    return torch.stack([start, *between, end])
