"""Vectors on the unit sphere, computed in float32 or wider whatever the precision around them."""

from __future__ import annotations

import torch
from torch import Tensor

SHORTEST = 1e-12  # a vector no longer than this has no direction


def full_precision(tensor: Tensor) -> torch.autocast:
    """The context in which autocast of ``tensor``'s device is off."""
    return torch.autocast(tensor.device.type, enabled=False)


def wide(tensor: Tensor) -> Tensor:
    """float16 and bfloat16 as float32; float32 and float64 as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def unit(rows: Tensor) -> Tensor:
    """(N, D) to rows of length one. A row that is zero stays zero, with gradient zero: 0 / 0 would be NaN, 0 / 1e-12 would
    send a gradient through that float16 cannot hold."""
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    known = length > SHORTEST
    return torch.where(known, rows / torch.where(known, length, 1), 0)
