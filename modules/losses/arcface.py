"""ArcFace: an additive angular margin (Deng et al., CVPR 2019, Eq. 3), in the three variants found in public code."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.interfaces import LossConfig
from modules.layers.margin_softmax import MarginSoftmax


class ArcFaceConfig(LossConfig):
    """With theta the angle to the true class's center and m the margin, the true class's logit is s times

    * ``exact``: cos(theta + m); where theta + m exceeds pi, cos(theta) - m sin(m), which keeps decreasing
    * ``straight_through``: the same value with the gradient of cos(theta): the factor sin(theta + m) / sin(theta) is set to 1
    * ``clipped``: cos(theta + m) with theta + m clipped to [epsilon, pi - epsilon]; no gradient where clipped

    ``easy_margin`` applies the margin only where cos(theta) > 0. ``sample`` is the fraction of classes used per training step.
    """

    name: Literal["arcface"] = "arcface"
    scale: float = Field(default=64.0, gt=0)
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)  # radians
    variant: Literal["exact", "straight_through", "clipped"] = "exact"
    easy_margin: bool = False
    epsilon: float = Field(default=1e-3, gt=0, lt=0.1)  # radians, of clipped
    sample: float = Field(default=1.0, gt=0, le=1)

    def build(self, dimension: int, classes: int) -> ArcFace:
        return ArcFace(dimension, classes, self)


class ArcFace(MarginSoftmax):
    """Computed without angles: cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m)."""

    def __init__(self, dimension: int, classes: int, config: ArcFaceConfig) -> None:
        super().__init__(dimension, classes, config.scale, config.sample)
        self.config = config

    def margined(self, cosines: Tensor) -> Tensor:
        found = self._clipped(cosines) if self.config.variant == "clipped" else self._falling(cosines)
        if self.config.easy_margin:
            found = torch.where(cosines > 0, found, cosines)
        if self.config.variant == "straight_through":
            return cosines + (found - cosines).detach()
        return found

    def _shifted(self, cosines: Tensor) -> Tensor:
        """cos(theta + m). The gradient of the sine is infinite at cos = +-1, so the sine is treated as constant there."""
        sine = (1 - cosines.square()).clamp_min(torch.finfo(cosines.dtype).eps).sqrt()
        return cosines * math.cos(self.config.margin) - sine * math.sin(self.config.margin)

    def _falling(self, cosines: Tensor) -> Tensor:
        margin = self.config.margin
        return torch.where(cosines >= -math.cos(margin), self._shifted(cosines), cosines - margin * math.sin(margin))

    def _clipped(self, cosines: Tensor) -> Tensor:
        margin, epsilon = self.config.margin, self.config.epsilon
        found = torch.where(cosines < -math.cos(margin + epsilon), -math.cos(epsilon), self._shifted(cosines))
        if margin < epsilon:
            found = torch.where(cosines > math.cos(epsilon - margin), math.cos(epsilon), found)
        return found
