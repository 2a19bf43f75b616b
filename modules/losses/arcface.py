"""ArcFace: an additive angular margin (Deng et al., CVPR 2019, Eq. 3), in the three variants found in public code."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated, rotated_within


class ArcFaceConfig(SampledMarginConfig):
    """With theta the angle to the true class's center and m the margin, the true class's logit is s times

    * ``exact``: cos(theta + m); where theta + m exceeds pi, cos(theta) - m sin(m), which keeps decreasing
    * ``straight_through``: the same value with the gradient of cos(theta): the factor sin(theta + m) / sin(theta) is set to 1
    * ``clipped``: cos(theta + m) with theta + m clipped to [epsilon, pi - epsilon]; no gradient where clipped

    ``easy_margin`` applies the margin only where cos(theta) > 0. ``sample`` is the fraction of classes used per training step.
    """

    name: Literal["arcface"] = "arcface"
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)  # radians
    variant: Literal["exact", "straight_through", "clipped"] = "exact"
    easy_margin: bool = False
    epsilon: float = Field(default=1e-3, gt=0, lt=0.1)  # radians, of clipped

    def build(self, dimension: int, classes: int) -> ArcFace:
        return ArcFace(dimension, classes, self)


class ArcFace(MarginSoftmax):
    def margined(self, cosines: Tensor) -> Tensor:
        config = self.config
        if config.variant == "clipped":
            found = rotated_within(cosines, config.margin, config.epsilon)
        else:
            found = rotated(cosines, config.margin)
        if config.easy_margin:
            found = torch.where(cosines > 0, found, cosines)
        if config.variant == "straight_through":
            return cosines + (found - cosines).detach()
        return found
