"""MobileNetV3-Small (Howard et al., ICCV 2019): the smallest backbone here, for quick tests.

The feature map is the input of the global pooling. No ImageNet weights are pinned for it: for weights trained by timm's authors
use the ``timm`` backbone with a tagged name.
"""

from __future__ import annotations

from typing import Literal

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, create, remove


class MobileNetV3SmallConfig(BackboneConfig):
    """576 channels, stride 32."""

    name: Literal["mobilenetv3_small"] = "mobilenetv3_small"

    def build(self) -> TimmBackbone:
        body = create("mobilenetv3_small_100")
        remove(body, ["conv_head", "norm_head", "act2"])  # they work on the pooled vector
        return TimmBackbone(body, 576, ["bn1", *(f"blocks.{stage}" for stage in range(len(body.blocks)))])
