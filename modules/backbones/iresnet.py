"""The improved residual networks of the ArcFace family (Deng et al., "ArcFace", CVPR 2019; blocks after Han et al., CVPR 2017).

A unit is BN - 3x3 convolution - BN - PReLU - 3x3 convolution - BN, added to its input with nothing after the sum; the second
convolution has the stride. The first convolution keeps the resolution, so that 112 x 112 pixels give a 7 x 7 map, not 4 x 4.

The remaining layers of the public networks (BN, dropout, a linear layer over the whole map, BN) are the head ``fc_bn``: with it
and 512 dimensions at 112 x 112 the depths 50 and 100 have their 43.59 and 65.16 million parameters. Layers are named as in
those networks' files, so that ``checkpoint`` pretraining reads them directly (the head too, with ``layout: insightface``).

The network of Xu et al. (2023) is depth 50 with the head ``gmp``. AdaFace's IR networks (Kim et al., CVPR 2022), after
face.evoLVe, are ``shortcut: subsample`` with the head ``{name: fc_bn, affine: none}``: their first unit halves the map without
changing its channels, and its shortcut has no weights.
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from configs.component import Born
from configs.network_interfaces import BackboneConfig

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
_WIDTHS = (64, 128, 256, 512)


class IResNetConfig(BackboneConfig):
    """Designed for 112 x 112, where the map is 512 x 7 x 7; stride 16 at any size. Map values have both signs.

    The head follows ``layer4``. Explainers that need ReLU (guided backpropagation, Deconvnet) do not apply: it has PReLU.

    Fields:
        depth: number of layers with weights, with one linear layer in the head; the 101 layers of AdaFace's IR-101 are 100 here
        shortcut: of a unit that halves the map and keeps its channels: a 1x1 ``convolution`` with BN, or ``subsample``: every
            second value of each row and column
    """

    name: Literal["iresnet"] = "iresnet"
    depth: Literal[18, 34, 50, 100] = 50
    shortcut: Annotated[Literal["convolution", "subsample"], Born("convolution")] = "convolution"

    def build(self) -> IResNet:
        return IResNet(UNITS[self.depth], self.shortcut == "subsample")


class IResNet(nn.Module):
    """A 3x3 convolution, and four stages of units, each of which halves the resolution."""

    channels = _WIDTHS[-1]

    def __init__(self, units: tuple[int, ...], subsample: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        before = 64
        for stage, (width, count) in enumerate(zip(_WIDTHS, units, strict=True), start=1):
            first = Unit(before, width, stride=2, subsample=subsample)
            self.add_module(f"layer{stage}", nn.Sequential(first, *(Unit(width, width) for _ in range(count - 1))))
            before = width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.1)  # as in the public networks

    def stages(self) -> dict[str, nn.Module]:
        """prelu, at full resolution, and layer1 to layer4; the last is the feature map."""
        return {name: self.get_submodule(name) for name in ("prelu", "layer1", "layer2", "layer3", "layer4")}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 512, ceil(H / 16), ceil(W / 16))."""
        features = self.prelu(self.bn1(self.conv1(images)))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            features = self.get_submodule(name)(features)
        return features


class Unit(nn.Module):
    """One improved residual unit; where the shape changes, the shortcut is a 1x1 convolution with BN; see ``shortcut``."""

    def __init__(self, channels: int, width: int, stride: int = 1, subsample: bool = False) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if subsample and stride != 1 and channels == width:
            self.downsample = nn.MaxPool2d(1, stride)
        elif stride != 1 or channels != width:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        shortcut = features if self.downsample is None else self.downsample(features)
        inner = self.prelu(self.bn2(self.conv1(self.bn1(features))))
        return self.bn3(self.conv2(inner)) + shortcut
