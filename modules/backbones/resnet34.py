"""ResNet-34 (He et al., CVPR 2016): 16 blocks of two 3x3 convolutions.

With the ``gap_bn`` head it has the 21,548,352 parameters of Ito et al. (2021). Uses timm's network, which has the topology of
torchvision's network used by Ito et al.; weights are initialized as in torchvision, so the scale of the last normalization of a
block starts at one (timm's default is zero).

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation. Ito et al. use [-1, 1], and so
do we: the first layer adapts in training.
"""

from __future__ import annotations

from typing import Literal

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, create
from modules.weights.published import PinnedWeights, on_hugging_face


class ResNet34Config(BackboneConfig):
    """512 channels, stride 32."""

    name: Literal["resnet34"] = "resnet34"

    def build(self) -> TimmBackbone:
        body = create("resnet34", zero_init_last=False)
        return TimmBackbone(body, 512, ["act1", "layer1", "layer2", "layer3", "layer4"])

    def weights_of(self, source: str) -> PinnedWeights | None:
        return on_hugging_face("timm/resnet34.tv_in1k", dropped=("fc",)) if source == "imagenet" else None
