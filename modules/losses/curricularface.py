"""CurricularFace: hard negatives count more as training proceeds (Huang et al., CVPR 2020, Eqs. 5 to 10)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated


class CurricularFaceConfig(SampledMarginConfig):
    """The logit of the true class is s cos(theta + m), as in ArcFace. Another class whose cosine c is above the true class's
    cosine with its margin has s c (t + c) in place of s c. t is the exponential average, over batches, of the mean cosine to
    the true class, with weight ``momentum`` of the present batch: it starts at 0 and grows with the network.
    """

    name: Literal["curricularface"] = "curricularface"
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)  # radians
    momentum: float = Field(default=0.01, gt=0, le=1)

    def build(self, dimension: int, classes: int) -> CurricularFace:
        return CurricularFace(dimension, classes, self)


class CurricularFace(MarginSoftmax):
    t: Tensor

    def __init__(self, dimension: int, classes: int, config: CurricularFaceConfig) -> None:
        super().__init__(dimension, classes, config)
        self.register_buffer("t", torch.tensor(0.0))

    def target(self, cosines: Tensor, embeddings: Tensor) -> Tensor:
        if self.training and len(cosines):
            with torch.no_grad():
                self.t.lerp_(cosines.mean().to(self.t.dtype), self.config.momentum)
        return rotated(cosines, self.config.margin)

    def others(self, cosines: Tensor, target: Tensor) -> Tensor:
        return torch.where(cosines > target, cosines * (self.t.clone() + cosines), cosines)
