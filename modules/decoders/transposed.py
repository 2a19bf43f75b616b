"""The decoder of Xu et al. (2023, Section III-C): a stack of four transposed convolutions from feature map to face.

Kernel 4 with stride 2 and padding 1 doubles the resolution exactly: 7 - 14 - 28 - 56 - 112 for the feature map of an iresnet on
images of 112 x 112 pixels. The paper specifies neither the widths nor the operations between the layers; we use batch
normalization and ReLU, and tanh at the end, for pixels in [-1, 1].
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import DecoderConfig
from modules.shape_inference import Size, sides

_NARROWEST = 16


class TransposedConfig(DecoderConfig):
    """Accepts a feature map of any height and width; each side of the image is ``2 ** layers`` times larger.

    Fields:
        layers: number of transposed convolutions
        width: channels after the first one; each further layer has half as many, but at least 16, and the last one three
    """

    name: Literal["transposed"] = "transposed"
    layers: int = Field(default=4, ge=1, le=8)
    width: int = Field(default=256, ge=1)

    def build(self, channels: int, height: int, width: int, size: Size) -> Transposed:
        """Raises:
        ValueError: the output size differs from the image size.
        """
        wanted, found = sides(size), (height << self.layers, width << self.layers)
        if found != tuple(wanted):
            raise ValueError(
                f"decoder transposed: a map of {height} x {width} doubled {self.layers} times gives {found[0]} x {found[1]} "
                f"pixels, the images have {wanted[0]} x {wanted[1]}; change decoder.layers, the input or the backbone"
            )
        widths = [max(min(_NARROWEST, self.width), self.width >> index) for index in range(self.layers - 1)]
        return Transposed([channels, *widths])


class Transposed(nn.Module):
    """One transposed convolution per entry of ``channels``, its number of input channels; the last one outputs RGB."""

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Sequential(_double(before, after), nn.BatchNorm2d(after), nn.ReLU()) for before, after in pairwise(channels)),
            nn.Sequential(_double(channels[-1], 3, bias=True), nn.Tanh()),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 3, H, W) in [-1, 1]."""
        return self.layers(features)


def _double(before: int, after: int, bias: bool = False) -> nn.Module:
    return nn.ConvTranspose2d(before, after, kernel_size=4, stride=2, padding=1, bias=bias)
