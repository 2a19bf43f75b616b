"""The head of Xu et al. (2023, Section III-C): global max pooling in place of the last fully connected layer.

Each number of the embedding is one cell of one channel, which is what lets their explanation say where it came from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.interfaces import HeadConfig


class GMPConfig(HeadConfig):
    """Takes a map of any height and width; learns nothing. ``dimension`` is the backbone's number of channels."""

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
    """The maximum over all cells; where several are largest they share the gradient evenly."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, channels), not normalised."""
        return features.amax(dim=(2, 3))  # adaptive pooling has no deterministic gradient on CUDA
