"""The head of MobileFaceNet (Chen et al., CCBR 2018, Table 1): global depthwise convolution, then a linear 1x1 convolution."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig


class GDCConfig(HeadConfig):
    """The depthwise kernel covers the whole feature map, so the head only works with the input size it was built for."""

    name: Literal["gdc"] = "gdc"
    dimension: int = Field(default=128, ge=1)

    def build(self, channels: int, height: int, width: int) -> Gdc:
        return Gdc(channels, (height, width), self.dimension)


class Gdc(nn.Module):
    """Each channel has separate weights for every location. Training needs batches of at least two images."""

    def __init__(self, channels: int, side: tuple[int, int], dimension: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, side, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.linear = nn.Conv2d(channels, dimension, 1, bias=False)
        self.out = nn.BatchNorm2d(dimension)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, dimension), not L2-normalized."""
        return self.out(self.linear(self.norm(self.depthwise(features)))).flatten(1)
