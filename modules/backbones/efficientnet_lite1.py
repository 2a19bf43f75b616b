"""EfficientNet-Lite1: EfficientNet without squeeze-and-excitation and with ReLU6, designed for small devices.

The original ImageNet weights are available in a Python package, so no hub is needed. They were trained on (pixel - 127) / 128,
which equals our [-1, 1] up to 1/255.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.network_interfaces import BackboneConfig
from modules.layers.timm_backbone import TimmBackbone, efficientnet
from modules.weights.efficientnet_lite import LITE1, packaged
from modules.weights.published import PinnedWeights


class EfficientNetLite1Config(BackboneConfig):
    """1280 channels, stride 32; TF padding."""

    name: Literal["efficientnet_lite1"] = "efficientnet_lite1"
    drop_path: float = Field(default=0.0, ge=0, lt=1)  # rate of the last block; increases linearly from 0 at the first

    def build(self) -> TimmBackbone:
        return efficientnet("tf_efficientnet_lite1", head=True, channels=1280, drop_path=self.drop_path)

    def weights_of(self, source: str) -> PinnedWeights | None:
        return packaged(1, "77cc7160", LITE1) if source == "imagenet" else None
