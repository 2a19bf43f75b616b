"""AlexNet's five convolutions (Krizhevsky et al., NIPS 2012, in the narrower form of Krizhevsky 2014 that torchvision has).

Ito et al. (2021) keep the convolutions and replace the rest: with the ``gap_bn`` head the network has their 2,601,792
parameters. Identical to ``features`` of torchvision's AlexNet, with the same names; dropout and the two wide linear layers are
removed.

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation. Ito et al. use [-1, 1], and so
do we: the first layer adapts in training.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.weights.published import PinnedWeights, from_torchvision

_FILE = "alexnet-owt-7be5be79.pth"
_STAGES = {"relu1": 1, "relu2": 4, "relu3": 7, "relu4": 9, "relu5": 11, "pool5": 12}


class AlexNetConfig(BackboneConfig):
    """256 channels, stride 32; the smallest image side is 63 pixels."""

    name: Literal["alexnet"] = "alexnet"

    def build(self) -> AlexNet:
        return AlexNet()

    def weights_of(self, source: str) -> PinnedWeights | None:
        return from_torchvision(_FILE) if source == "imagenet" else None


class AlexNet(nn.Module):
    """Five convolutions with ReLU, three of them followed by 3x3 max pooling with stride 2."""

    channels = 256

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )

    def stages(self) -> dict[str, nn.Module]:
        """relu1 to relu5, and pool5, which is the feature map."""
        return {name: self.features[index] for name, index in _STAGES.items()}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 256, h, w)."""
        return self.features(images)
