"""The head of Ito et al. (2021, Section III): global average pooling, batch normalization, dropout, one linear layer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig


class GapBnConfig(HeadConfig):
    """Accepts a feature map of any height and width."""

    name: Literal["gap_bn"] = "gap_bn"
    dimension: int = Field(default=512, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)

    def build(self, channels: int, height: int, width: int) -> GapBn:
        return GapBn(channels, self.dimension, self.dropout)


class GapBn(nn.Module):
    """Training needs batches of at least two images: the normalization is over pooled vectors."""

    def __init__(self, channels: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, dimension)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension), not normalized."""
        return self.linear(self.dropout(self.norm(features.mean(dim=(2, 3)))))
