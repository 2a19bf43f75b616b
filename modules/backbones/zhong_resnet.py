"""The "modified ResNet" of Zhong and Deng ("Deep Difference Analysis in Similar-looking Face Recognition", ICPR 2018).

The paper specifies the input (104 x 96 aligned faces), residual blocks, the embedding layer and the losses (softmax and
center), but not the layers in its Figure 1. We use those of the center loss paper (Wen et al., ECCV 2016): plain convolutions
that increase the width, max pooling that halves the resolution, and residual units of two 3x3 convolutions in between; 27
convolutions by default. Everything that the paper leaves open is a field.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig


class ZhongResNetConfig(BackboneConfig):
    """Made for 104 x 96 (height x width): the map is 512 x 6 x 6 there.

    The head follows the last stage and contains the paper's embedding layer: ``fc_bn``. With ReLU every explainer applies; with
    PReLU those that need ReLU (guided backpropagation, Deconvnet) do not.

    Fields:
        units: number of residual units of each stage; a stage halves the resolution
        width: channels of the first stage; doubled in each further stage
        activation: after every convolution; the paper compares with Deconvnet, which is defined for ReLU
        norm: normalization after every convolution; "none" is the form of Wen et al.
    """

    name: Literal["zhong_resnet"] = "zhong_resnet"
    units: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(1, 2, 5, 3), min_length=1)
    width: int = Field(default=64, ge=2)
    activation: Literal["relu", "prelu"] = "relu"
    norm: Literal["batch", "none"] = "batch"

    def build(self) -> ZhongResNet:
        return ZhongResNet(self)


class ZhongResNet(nn.Module):
    """Stages of a convolution, 2x2 max pooling and residual units; before the first stage, one more convolution."""

    def __init__(self, config: ZhongResNetConfig) -> None:
        super().__init__()
        widths = [config.width << index for index in range(len(config.units))]
        self.channels = widths[-1]
        self.stem = _layer(3, config.width // 2, config)
        self.layers = nn.ModuleList(
            nn.Sequential(_layer(before, width, config), nn.MaxPool2d(2), *(Unit(width, config) for _ in range(count)))
            for (before, width), count in zip(pairwise([config.width // 2, *widths]), config.units, strict=True)
        )

    def stages(self) -> dict[str, nn.Module]:
        """stem, at full resolution, and layers.0, layers.1 ...; the last is the feature map."""
        return {"stem": self.stem} | {f"layers.{index}": layer for index, layer in enumerate(self.layers)}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, channels, h, w), h being H halved once a stage and rounded down."""
        features = self.stem(images)
        for layer in self.layers:
            features = layer(features)
        return features


class Unit(nn.Module):
    """Two 3x3 convolutions, each with its activation, added to their input."""

    def __init__(self, width: int, config: ZhongResNetConfig) -> None:
        super().__init__()
        self.body = nn.Sequential(_layer(width, width, config), _layer(width, width, config))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


def _layer(channels: int, width: int, config: ZhongResNetConfig) -> nn.Sequential:
    """A 3x3 convolution that keeps the resolution, initialized to preserve the signal's variance (He et al., ICCV 2015)."""
    batch = config.norm == "batch"
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=not batch)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    activation = nn.PReLU(width) if config.activation == "prelu" else nn.ReLU()
    return nn.Sequential(convolution, *([nn.BatchNorm2d(width)] if batch else []), activation)
