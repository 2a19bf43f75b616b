"""A snapshot of the most recent embeddings, refreshed every n steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bank(nn.Module):
    """Ring buffer of the last ``size`` embeddings, exposed as of the last multiple of ``every`` steps.

    All state is in buffers, so a resumed training sees the same snapshot. Slots that are still empty have label -1.
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
        self.register_buffer("position", torch.zeros(2, dtype=torch.int64))  # steps, and the next slot to write

    def add(self, points: Tensor, labels: Tensor) -> None:
        """Adds the embeddings (N, dimension) and labels int64 (N,) of one step, and counts the step.

        Copies the snapshot in every step, so that the host need not know when it is due.
        """
        points, labels = points.detach()[-self.size :], labels[-self.size :]
        steps, place = self.position.unbind()
        places = (place + torch.arange(len(points), device=points.device)) % self.size
        self.ring.index_copy_(0, places, points.to(self.ring.dtype))
        self.ring_labels.index_copy_(0, places, labels)
        due = (steps + 1) % self.every == 0
        self.shown.copy_(torch.where(due, self.ring, self.shown))
        self.shown_labels.copy_(torch.where(due, self.ring_labels, self.shown_labels))
        self.position.copy_(torch.stack([steps + 1, (place + len(points)) % self.size]))
