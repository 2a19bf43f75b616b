"""SqueezeNet 1.1 (Iandola et al., 2016): AlexNet's accuracy on ImageNet with a fiftieth of its parameters.

Identical to ``features`` of torchvision's SqueezeNet 1.1, with the same names: 722,496 parameters, 0.26 billion multiply-adds.
Input 224 x 224, or any size from 17 x 17; the last map is ``fire9``, (512, 13, 13); the head replaces the dropout and the 1x1
convolution to 1,000 classes.

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation; we use [-1, 1], and the first
layer adapts in training.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.weights.published import PinnedWeights, from_torchvision

_FILE = "squeezenet1_1-b8a52dc0.pth"
# The modules after the first convolution.
_STAGES = ["relu1", "pool1", "fire2", "fire3", "pool3", "fire4", "fire5", "pool5", "fire6", "fire7", "fire8", "fire9"]


class SqueezeNetConfig(BackboneConfig):
    """512 channels, stride 16."""

    name: Literal["squeezenet"] = "squeezenet"

    def build(self) -> SqueezeNet:
        return SqueezeNet()

    def weights_of(self, source: str) -> PinnedWeights | None:
        return from_torchvision(_FILE) if source == "imagenet" else None


class SqueezeNet(nn.Module):
    """One convolution, then eight fire modules, interleaved with three poolings that keep the incomplete window."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        for part in self.modules():
            if isinstance(part, nn.Conv2d):  # torchvision's initialization
                nn.init.kaiming_uniform_(part.weight)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]

    def stages(self) -> dict[str, nn.Module]:
        """relu1, the poolings, and fire2 to fire9, which is the feature map; numbered as in the paper."""
        return dict(zip(_STAGES, self.features[1:], strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 512, h, w)."""
        return self.features(images)


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then parallel 1x1 and 3x3 with concatenated channels; ReLU after each."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand, kernel_size=1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeeze, expand, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, 2 expand, h, w)."""
        few = self.squeeze_activation(self.squeeze(features))
        narrow = self.expand1x1_activation(self.expand1x1(few))
        wide = self.expand3x3_activation(self.expand3x3(few))
        return torch.cat([narrow, wide], 1)
