"""VGG-19's sixteen convolutions (Simonyan and Zisserman, ICLR 2015, configuration E).

Identical to ``features`` of torchvision's VGG-19, with the same names: 20,024,384 parameters, 19.5 billion multiply-adds.
Input 224 x 224, or any size from 32 x 32; the last map is ``pool5``, (512, 7, 7), followed by the head, which replaces the
adaptive pooling and the three wide linear layers.

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation; we use [-1, 1], and the first
layer adapts in training.

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import Literal

from modules.layers.vgg import VggConfig
from modules.weights.published import PinnedWeights, from_torchvision

_FILE = "vgg19-dcbb9e9d.pth"


class VGG19Config(VggConfig):
    """512 channels; see ``VggConfig`` for the fields."""

    name: Literal["vgg19"] = "vgg19"
    depths = (2, 2, 4, 4, 4)

    def weights_of(self, source: str) -> PinnedWeights | None:
        return self.fitted(from_torchvision(_FILE)) if source == "imagenet" else None
