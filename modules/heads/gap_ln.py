"""The head of EdgeFace (arXiv 2307.01838): global average pooling, layer normalization, one linear layer of low rank.

It is that of timm's EdgeNeXt; with ``gamma: null`` the linear layer has full rank.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig
from modules.layers.low_rank import LowRank


class GapLnConfig(HeadConfig):
    """Accepts a feature map of any height and width.

    Fields:
        dimension: of the embedding
        gamma: rank of the linear layer as a share of its smaller side; None: full rank
    """

    name: Literal["gap_ln"] = "gap_ln"
    dimension: int = Field(default=512, ge=1)
    gamma: float | None = Field(default=0.6, gt=0, le=1)

    def build(self, channels: int, height: int, width: int) -> GapLn:
        return GapLn(channels, self.dimension, self.gamma)


class GapLn(nn.Module):
    """Batches of one image can be trained: the normalization is over the channels of each image."""

    def __init__(self, channels: int, dimension: int, gamma: float | None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.linear: nn.Module = nn.Linear(channels, dimension) if gamma is None else LowRank(channels, dimension, gamma)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension), not normalized."""
        return self.linear(self.norm(features.mean(dim=(2, 3))))
