"""EfficientNet-B1 (Tan and Le, ICML 2019) without its final 1x1 convolution: 23 blocks, 320 channels.

Only without it does the network with the ``gap_bn`` head have the 6,266,016 parameters of Ito et al. (2021). In timm the
normalization after that convolution (``bn2``) includes its activation, and both are removed with it: the feature map is the
linear output of the last block, with values of both signs.

TF padding, the drop-path rate and the slow running statistics are those of EfficientNet-PyTorch, which Ito et al. used. The
slow statistics need a few hundred steps to converge: for short trainings use ``bn_momentum: 0.1``.

ImageNet weights were trained on inputs normalized with ImageNet's mean and standard deviation. Ito et al. use [-1, 1], and so
do we: the first layer adapts in training.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, efficientnet
from modules.weights.published import PinnedWeights, on_hugging_face


class EfficientNetB1Config(BackboneConfig):
    """320 channels, stride 32."""

    name: Literal["efficientnet_b1"] = "efficientnet_b1"
    drop_path: float = Field(default=0.2, ge=0, lt=1)  # rate of the last block; increases linearly from 0 at the first
    bn_momentum: float = Field(default=0.01, gt=0, le=1)  # weight of the new batch in the running statistics

    def build(self) -> TimmBackbone:
        return efficientnet(
            "tf_efficientnet_b1", head=False, channels=320, drop_path=self.drop_path, bn_momentum=self.bn_momentum
        )

    def weights_of(self, source: str) -> PinnedWeights | None:
        if source != "imagenet":
            return None
        return on_hugging_face("timm/tf_efficientnet_b1.aa_in1k", dropped=("conv_head", "bn2", "classifier"))
