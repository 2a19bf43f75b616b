"""The expanding path of U-Net (Ronneberger, Fischer and Brox, MICCAI 2015), as in the autoencoder of Debreczeni et al.

Each level is a 2 x 2 up-convolution with stride 2 and two 3 x 3 convolutions with batch normalization and ReLU; the number of
channels halves from level to level. U-Net's skip connections are left out: they would carry the image past the feature map, so
that a good reconstruction would say nothing about what the feature map contains, and no image could be made from a code alone.
U-Net's convolutions are unpadded; ours are padded, and the result of an up-convolution is cropped to the level's size instead.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import DecoderConfig
from modules.shape_inference import Size, sides


class UnetConfig(DecoderConfig):
    """Accepts a feature map of any size up to that of the image, and images of any size.

    Fields:
        width: channels at the resolution of the image; twice as many at each lower level (U-Net: 64)
        widest: largest number of channels
        code: what is decoded: the feature map, or ``pooled``, its mean over all locations, the embedding of Debreczeni et al.
            (Section IV)
    """

    name: Literal["unet"] = "unet"
    width: int = Field(default=32, ge=1)
    widest: int = Field(default=512, ge=1)
    code: Literal["map", "pooled"] = "map"

    def build(self, channels: int, height: int, width: int, size: Size) -> Unet:
        """Raises:
        ValueError: the feature map is larger than the image.
        """
        high, wide = sides(size)
        if height > high or width > wide:
            raise ValueError(
                f"decoder unet: the feature map has {height} x {width} locations, and the images only {high} x {wide} pixels; "
                "choose another backbone or input.size"
            )
        sizes = [(high, wide)]
        while sizes[-1][0] > height or sizes[-1][1] > width:
            sizes.append((_half(sizes[-1][0]), _half(sizes[-1][1])))
        widths = [min(self.width << level, self.widest) for level in range(len(sizes))]
        return Unet(channels, (height, width), sizes[::-1][1:], widths[::-1], pooled=self.code == "pooled")


class Unet(nn.Module):
    """Decodes codes: feature maps (N, C, h, w), or pooled vectors (N, C, 1, 1).

    Args:
        channels: C
        shape: (h, w) of the feature map
        sizes: (height, width) after each level, the last one that of the image
        widths: channels at the map's resolution and after each level
        pooled: whether codes are pooled vectors
    """

    def __init__(
        self, channels: int, shape: tuple[int, int], sizes: list[tuple[int, int]], widths: list[int], pooled: bool
    ) -> None:
        super().__init__()
        self.pooled = pooled
        self.sizes = sizes
        self.spread = nn.ConvTranspose2d(channels, channels, shape) if pooled else nn.Identity()
        self.first = _double(channels, widths[0])
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.levels = nn.ModuleList(_double(width, width) for width in widths[1:])
        self.last = nn.Conv2d(widths[-1], 3, 1)

    def code(self, features: Tensor) -> Tensor:
        """The code of feature maps (N, C, h, w)."""
        return features.mean(dim=(2, 3), keepdim=True) if self.pooled else features

    def decode(self, code: Tensor) -> Tensor:
        """Codes to images (N, 3, H, W) in [-1, 1]."""
        found = self.first(self.spread(code))
        for up, level, (height, width) in zip(self.up, self.levels, self.sizes, strict=True):
            found = level(_cropped(up(found), height, width))
        return self.last(found).tanh()

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 3, H, W) in [-1, 1]."""
        return self.decode(self.code(features))


def _half(length: int) -> int:
    return (length + 1) // 2


def _double(before: int, after: int) -> nn.Module:
    first, second = nn.Conv2d(before, after, 3, padding=1, bias=False), nn.Conv2d(after, after, 3, padding=1, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(after), nn.ReLU(), second, nn.BatchNorm2d(after), nn.ReLU())


def _cropped(features: Tensor, height: int, width: int) -> Tensor:
    """The middle of a map that is at least as large."""
    top, left = (features.shape[2] - height) // 2, (features.shape[3] - width) // 2
    return features[:, :, top : top + height, left : left + width]
