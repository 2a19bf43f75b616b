"""The head of FaceNet's Inception networks (Schroff et al., CVPR 2015, Table 2): pooling, one linear layer, unit length."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig
from modules.layers.normalize import unit, wide
from modules.layers.pooling import Pool, pooled, pooled_width


class L2Config(HeadConfig):
    """``pool``: the global average, as in the paper; the maximum; or ``flatten``, which keeps every location of the map."""

    name: Literal["l2"] = "l2"
    dimension: int = Field(default=128, ge=1)
    pool: Pool = "average"

    def build(self, channels: int, height: int, width: int) -> L2:
        return L2(pooled_width(channels, height, width, self.pool), self.dimension, self.pool)


class L2(nn.Module):
    """Embeddings lie on the unit sphere; norms are computed in float32."""

    def __init__(self, width: int, dimension: int, pool: Pool) -> None:
        super().__init__()
        self.pool = pool
        self.linear = nn.Linear(width, dimension)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension) float32 (float64 stays), of norm 1; a zero vector stays zero."""
        return unit(wide(self.linear(pooled(features, self.pool))))
