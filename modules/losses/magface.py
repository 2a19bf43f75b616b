"""MagFace: margin and penalty depend on the embedding's norm, which learns image quality (Meng et al., CVPR 2021, Eq. 3)."""

from __future__ import annotations

import math
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated


class MagFaceConfig(SampledMarginConfig):
    """With a the embedding's norm clipped to [``lowest_norm``, ``highest_norm``], the margin m(a) grows linearly from
    ``lowest_margin`` to ``highest_margin``; the true class's logit is s cos(theta + m(a)), and ``penalty`` (1 / a + a / u^2),
    u being the highest norm, is added to the loss. The gradient reaches the norm through both.
    """

    name: Literal["magface"] = "magface"
    lowest_norm: float = Field(default=10.0, gt=0)
    highest_norm: float = Field(default=110.0, gt=0)
    lowest_margin: float = Field(default=0.45, ge=0, le=math.pi / 2)
    highest_margin: float = Field(default=0.8, ge=0, le=math.pi / 2)
    penalty: float = Field(default=35.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest_norm >= self.highest_norm or self.lowest_margin > self.highest_margin:
            raise ValueError("lowest_norm must be below highest_norm, and lowest_margin not above highest_margin")
        return self

    def build(self, dimension: int, classes: int) -> MagFace:
        return MagFace(dimension, classes, self)


class MagFace(MarginSoftmax):
    def _norms(self, embeddings: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True)
        return norms.clamp(self.config.lowest_norm, self.config.highest_norm)

    def target(self, cosines: Tensor, embeddings: Tensor) -> Tensor:
        config = self.config
        slope = (config.highest_margin - config.lowest_margin) / (config.highest_norm - config.lowest_norm)
        return rotated(cosines, slope * (self._norms(embeddings) - config.lowest_norm) + config.lowest_margin)

    def penalty(self, embeddings: Tensor) -> Tensor:
        norms = self._norms(embeddings)
        return self.config.penalty * (1 / norms + norms / self.config.highest_norm**2).mean()
