"""MV-Softmax: misclassified classes weigh more (Wang et al., "Mis-classified Vector Guided Softmax Loss", AAAI 2020)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated


class MVSoftmaxConfig(SampledMarginConfig):
    """The logit of the true class is s cos(theta + m) (``form: arc``) or s (cos(theta) - m) (``am``). Where another class's
    cosine c is above the true class's cosine with its margin, its exponential is multiplied by exp(s t (c + 1)) (``weighting:
    adaptive``, Eq. 8) or exp(s t) (``fixed``, Eq. 7).
    """

    name: Literal["mv_softmax"] = "mv_softmax"
    scale: float = Field(default=32.0, gt=0)
    form: Literal["arc", "am"] = "arc"
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)  # radians for arc; the paper has 0.35 for am
    weighting: Literal["adaptive", "fixed"] = "adaptive"
    t: float = Field(default=0.2, ge=0)

    def build(self, dimension: int, classes: int) -> MVSoftmax:
        return MVSoftmax(dimension, classes, self)


class MVSoftmax(MarginSoftmax):
    def margined(self, cosines: Tensor) -> Tensor:
        if self.config.form == "am":
            return cosines - self.config.margin
        return rotated(cosines, self.config.margin)

    def others(self, cosines: Tensor, target: Tensor) -> Tensor:
        t = self.config.t
        heavier = cosines + t * (cosines + 1) if self.config.weighting == "adaptive" else cosines + t
        return torch.where(cosines > target, heavier, cosines)
