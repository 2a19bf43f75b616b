"""The maxout layer (Goodfellow et al., "Maxout Networks", ICML 2013)."""

from __future__ import annotations

from torch import Tensor, nn


class Maxout(nn.Module):
    """out[n, u] = max over k of (W x + b)[n, u * pieces + k]."""

    def __init__(self, width: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(width, units * pieces)

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, width) to (N, units)."""
        return self.linear(vectors).unflatten(1, (-1, self.pieces)).amax(2)
