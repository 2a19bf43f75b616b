"""Sub-center ArcFace: several centers per class, for noisy labels (Deng et al., ECCV 2020, Section 3.2)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, MarginSoftmaxConfig, rotated


class SubcenterArcFaceConfig(MarginSoftmaxConfig):
    """The cosine to a class is the largest one to its ``centers``; the true class's logit is s cos(theta + m)."""

    name: Literal["subcenter_arcface"] = "subcenter_arcface"
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)  # radians
    centers: int = Field(default=3, ge=1)

    def build(self, dimension: int, classes: int) -> SubcenterArcFace:
        return SubcenterArcFace(dimension, classes, self)


class SubcenterArcFace(MarginSoftmax):
    """``weight`` is (classes x centers, dimension), the centers of a class in adjacent rows."""

    def __init__(self, dimension: int, classes: int, config: SubcenterArcFaceConfig) -> None:
        super().__init__(dimension, classes, config, config.centers)

    def margined(self, cosines: Tensor) -> Tensor:
        return rotated(cosines, self.config.margin)

    def _cosines(self, embeddings: Tensor, weight: Tensor) -> Tensor:
        return super()._cosines(embeddings, weight).unflatten(1, (-1, self.config.centers)).amax(2)
