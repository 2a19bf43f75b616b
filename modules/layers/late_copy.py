"""A tensor that is copied to the host while the device works, and read later, so that the host does not wait for it at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class LateCopy:
    """Copies of tensors of one shape, one at a time, through one buffer in pinned memory."""

    def __init__(self) -> None:
        self._buffer: Tensor | None = None
        self._copied: torch.cuda.Event | None = None

    def send(self, value: Tensor) -> None:
        """Begins to copy ``value``; what was sent before and not read is lost."""
        if not value.is_cuda:
            self._buffer = value
            return
        if self._buffer is None:
            self._buffer = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
        self._buffer.copy_(value, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record()

    def read(self) -> Any:
        """What was sent last, as a numpy array; waits until it is there."""
        assert self._buffer is not None, "nothing was sent"
        if self._copied is not None:
            self._copied.synchronize()
        return self._buffer.numpy()
