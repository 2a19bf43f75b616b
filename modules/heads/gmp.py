"""The head of Xu et al. (2023, Section III-C): global max pooling in place of the last fully connected layer.

Each component of the embedding comes from one location of one channel, so their explanation can trace it back.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig


class GMPConfig(HeadConfig):
    """Accepts a feature map of any height and width; has no parameters. ``dimension`` must be the backbone's channels."""

    name: Literal["gmp"] = "gmp"
    dimension: int = Field(default=512, ge=1)

    def build(self, channels: int, height: int, width: int) -> Gmp:
        """Raises:
        ValueError: the backbone has another number of channels than ``dimension``.
        """
        if channels != self.dimension:
            raise ValueError(
                f"head gmp gives one number per channel: dimension is {self.dimension}, this backbone has {channels} channels; "
                f"set head.dimension to {channels}"
            )
        return Gmp()


class Gmp(nn.Module):
    """The maximum over all locations; equal maxima share the gradient evenly."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, channels), not normalized."""
        return features.amax(dim=(2, 3))  # adaptive pooling has no deterministic gradient on CUDA
