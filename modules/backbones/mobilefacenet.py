"""MobileFaceNet (Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification", CCBR 2018, Table 1).

Inverted residual blocks with PReLU, and early downsampling: 112 pixels give a map of side 7. The global depthwise convolution
and the linear layer that follow in the paper are the head ``gdc``; with it the network has 1,003,136 parameters at 112 x 112
and 999,552 at 112 x 96; the paper gives 0.99 million.

``checkpoint`` pretraining with ``layout: mobilefacenet_xiaoccer`` reads a public network trained on faces at 112 x 96 with
pixels (x - 127.5) / 128, a range 0.4 % smaller than our [-1, 1].
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig

BLOCKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))  # expansion, channels, blocks, stride


class MobileFaceNetConfig(BackboneConfig):
    """Designed for 112 x 112 or 112 x 96 (height x width): the map is 512 x 7 x 7 or 512 x 7 x 6, stride 16.

    The head follows ``last``. Explainers that need ReLU (guided backpropagation, Deconvnet) do not apply: it has PReLU.
    """

    name: Literal["mobilefacenet"] = "mobilefacenet"

    def build(self) -> MobileFaceNet:
        return MobileFaceNet()


class MobileFaceNet(nn.Module):
    """Two 3x3 convolutions, 15 blocks, and a 1x1 convolution to 512 channels."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.stem = Unit(3, 64, 3, stride=2)
        self.depthwise = Unit(64, 64, 3, groups=64)
        self.blocks = nn.ModuleList()
        before = 64
        self._ends = []  # the blocks before a halving, and the last one
        for expansion, width, count, stride in BLOCKS:
            if stride == 2 and len(self.blocks):
                self._ends.append(f"blocks.{len(self.blocks) - 1}")
            for index in range(count):
                self.blocks.append(Block(before, width, expansion, stride if index == 0 else 1))
                before = width
        self._ends.append(f"blocks.{len(self.blocks) - 1}")
        self.last = Unit(before, self.channels, 1)

    def stages(self) -> dict[str, nn.Module]:
        """stem, depthwise, the last block of each resolution, and last, which is the feature map."""
        return {name: self.get_submodule(name) for name in ("stem", "depthwise", *self._ends, "last")}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 512, ceil(H / 16), ceil(W / 16))."""
        features = self.depthwise(self.stem(images))
        for block in self.blocks:
            features = block(features)
        return self.last(features)


class Unit(nn.Module):
    """Convolution without bias, BN, and PReLU unless ``linear``."""

    def __init__(self, channels: int, width: int, side: int, stride: int = 1, groups: int = 1, linear: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, side, stride, padding=side // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.act: nn.Module = nn.Identity() if linear else nn.PReLU(width)

    def forward(self, features: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(features)))


class Block(nn.Module):
    """Expansion, depthwise 3x3, linear projection; added to the input where the shapes agree."""

    def __init__(self, channels: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = expansion * channels
        self.expand = Unit(channels, wide, 1)
        self.depthwise = Unit(wide, wide, 3, stride=stride, groups=wide)
        self.project = Unit(wide, width, 1, linear=True)
        self.residual = stride == 1 and channels == width

    def forward(self, features: Tensor) -> Tensor:
        found = self.project(self.depthwise(self.expand(features)))
        return features + found if self.residual else found
