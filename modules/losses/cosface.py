"""CosFace: an additive margin on the cosine (Wang et al., CVPR 2018, Eq. 4)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig


class CosFaceConfig(SampledMarginConfig):
    """The true class's logit is s (cos(theta) - m). ``sample`` is the fraction of classes used per training step."""

    name: Literal["cosface"] = "cosface"
    margin: float = Field(default=0.35, ge=0, le=2)  # public code uses 0.35 and 0.4

    def build(self, dimension: int, classes: int) -> CosFace:
        return CosFace(dimension, classes, self)


class CosFace(MarginSoftmax):
    """Has the gradient of softmax on cosines; the margin only changes the probabilities."""

    def margined(self, cosines: Tensor) -> Tensor:
        return cosines - self.config.margin
