"""VGG-16's thirteen convolutions (Simonyan and Zisserman, ICLR 2015, D), and VGG-Face's (Parkhi et al., BMVC 2015).

Identical to ``features`` of torchvision's VGG-16, with the same names: 14,714,688 parameters, 15.3 billion multiply-adds.
Input 224 x 224, or any size from 32 x 32; the last map is ``pool5``, (512, 7, 7), followed by the head, which replaces the
adaptive pooling and the three wide linear layers.

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation; we use [-1, 1], and the first
layer adapts in training. The pretraining ``vggface`` converts the weights of VGG-Face to [-1, 1].

Every stage has a spatial map, so all explainers apply; CAM needs a head of global average pooling and one linear layer.
"""

from __future__ import annotations

from typing import Literal

from modules.layers.vgg import VggConfig, VggFeatures
from modules.weights.published import PinnedWeights, from_torchvision
from modules.weights.vggface import MEAN_FACE, published

_FILE = "vgg16-397923af.pth"


class VGG16Config(VggConfig):
    """512 channels.

    Fields, in addition to those of ``VggConfig``:
        border: padding of the first convolution: mid-gray, which is zero padding, or the mean color of VGG-Face's training
            images, with which its converted weights give the published features at every location
    """

    name: Literal["vgg16"] = "vgg16"
    depths = (2, 2, 3, 3, 3)
    border: Literal["gray", "vggface_mean"] = "gray"

    def build(self) -> VggFeatures:
        border = MEAN_FACE if self.border == "vggface_mean" else None
        return VggFeatures(self.depths, border, self.batch_norm, self.dropout)

    def weights_of(self, source: str) -> PinnedWeights | None:
        if source == "vggface":
            return self.fitted(published())
        return self.fitted(from_torchvision(_FILE)) if source == "imagenet" else None
