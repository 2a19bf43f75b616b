"""The head of FaceNet's NN1 (Schroff et al., "FaceNet", CVPR 2015, Table 1): two maxout layers, one linear layer, unit length.

A maxout unit is the maximum of p linear functions (Goodfellow et al., ICML 2013). The paper writes its 4,096 units as 32 x 128.
For a 7 x 7 map of 256 channels the layers have 102,768,640, 33,562,624 and 524,416 parameters: the paper's 103M, 34M, 524K.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig
from modules.layers.initialization import he
from modules.layers.normalize import unit, wide


class FaceNetMaxoutConfig(HeadConfig):
    """Accepts a feature map of any size, with weights for each location.

    Fields:
        dimension: of the embedding; the paper tries 64, 128, 256 and 512
        units: of each of the two maxout layers
        pieces: linear functions per unit, the paper's p
    """

    name: Literal["facenet_maxout"] = "facenet_maxout"
    dimension: int = Field(default=128, ge=1)
    units: int = Field(default=4096, ge=1)
    pieces: int = Field(default=2, ge=1)

    def build(self, channels: int, height: int, width: int) -> FaceNetMaxout:
        return FaceNetMaxout(channels * height * width, self.dimension, self.units, self.pieces)


class FaceNetMaxout(nn.Module):
    """fc1 and fc2 with maxout, fc7128, L2: the paper's names."""

    def __init__(self, width: int, dimension: int, units: int, pieces: int) -> None:
        super().__init__()
        self.fc1 = Maxout(width, units, pieces)
        self.fc2 = Maxout(units, units, pieces)
        self.fc7128 = nn.Linear(units, dimension)
        he(self)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension) float32 (float64 stays), of norm 1; a zero vector stays zero."""
        return unit(wide(self.fc7128(self.fc2(self.fc1(features.flatten(1))))))


class Maxout(nn.Module):
    """out[n, u] = max over k of (W x + b)[n, u * pieces + k] (Goodfellow et al., "Maxout Networks", ICML 2013)."""

    def __init__(self, width: int, units: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(width, units * pieces)

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, width) to (N, units)."""
        return self.linear(vectors).unflatten(1, (-1, self.pieces)).amax(2)
