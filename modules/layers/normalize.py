"""L2 normalization in float32 or wider, also under autocast."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

SHORTEST = 1e-12  # vectors with at most this norm count as zero


def full_precision(tensor: Tensor) -> contextlib.AbstractContextManager[object]:
    """Context that disables autocast on ``tensor``'s device; the meta device has none."""
    return contextlib.nullcontext() if tensor.is_meta else torch.autocast(tensor.device.type, enabled=False)


def without_float16(tensor: Tensor) -> contextlib.AbstractContextManager[object]:
    """Context that disables autocast to float16 on ``tensor``'s device; other autocast stays.

    For normalizations in evaluation mode whose running statistics are young: they do not bring activations to unit variance, so
    these grow from layer to layer beyond 65,504, the largest float16. bfloat16 has the range of float32.
    """
    device = tensor.device.type
    half = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.float16
    return torch.autocast(device, enabled=False) if half else contextlib.nullcontext()


def wide(tensor: Tensor) -> Tensor:
    """Converts float16 and bfloat16 to float32; float32 and float64 are unchanged."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def unit(rows: Tensor) -> Tensor:
    """Normalizes rows (N, D) to norm one. A zero row stays zero, with zero gradient: 0 / 0 would be NaN, and 0 / 1e-12 would
    give a gradient that overflows float16."""
    length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    known = length > SHORTEST
    return torch.where(known, rows / torch.where(known, length, 1), 0)
