"""A snapshot of the last embeddings, refreshed every n steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bank(nn.Module):
    """Keeps the last ``size`` embeddings in a ring, and shows them as they were at the last multiple of ``every`` steps.

    All of it is buffers, so a resumed training sees the same snapshot. ByteRanges that nothing was written to have label -1.
    """

    shown: Tensor
    shown_labels: Tensor
    ring: Tensor
    ring_labels: Tensor
    position: Tensor

    def __init__(self, dimension: int, size: int, every: int) -> None:
        super().__init__()
        self.size, self.every = size, every
        for name in ("shown", "ring"):
            self.register_buffer(name, torch.zeros(size, dimension))
            self.register_buffer(f"{name}_labels", torch.full((size,), -1))
        self.register_buffer("position", torch.zeros(2, dtype=torch.int64))  # steps, and the place to write next

    def add(self, points: Tensor, labels: Tensor) -> None:
        """(N, dimension) and int64 (N,) of one step; counts the step."""
        points, labels = points.detach()[-self.size :], labels[-self.size :]
        steps, place = self.position.tolist()
        places = (place + torch.arange(len(points), device=points.device)) % self.size
        self.ring.index_copy_(0, places, points.to(self.ring.dtype))
        self.ring_labels.index_copy_(0, places, labels)
        if (steps + 1) % self.every == 0:
            self.shown.copy_(self.ring)
            self.shown_labels.copy_(self.ring_labels)
        self.position.copy_(torch.tensor([steps + 1, (place + len(points)) % self.size]))
