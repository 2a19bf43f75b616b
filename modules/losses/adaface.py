"""AdaFace: a margin that depends on image quality, measured by the embedding's norm (Kim et al., CVPR 2022, Eqs. 13 to 16)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated_within


class AdaFaceConfig(SampledMarginConfig):
    """The logit of the true class is s (cos(theta - m q) - m q - m). q is the norm of the embedding, standardized, times
    ``concentration``, and clipped to [-1, 1]. Norms are standardized by their exponential averages over batches, with weight
    ``momentum`` of the present one; they get no gradient. theta - m q is clipped to [0.001, pi - 0.001].
    """

    name: Literal["adaface"] = "adaface"
    margin: float = Field(default=0.4, ge=0, le=1.5)
    concentration: float = Field(default=0.333, gt=0)
    momentum: float = Field(default=0.01, gt=0, le=1)

    def build(self, dimension: int, classes: int) -> AdaFace:
        return AdaFace(dimension, classes, self)


class AdaFace(MarginSoftmax):
    """The averages start at 20 and 100, as in the authors' code, and change in training only."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dimension: int, classes: int, config: AdaFaceConfig) -> None:
        super().__init__(dimension, classes, config)
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("deviation", torch.tensor(100.0))

    def target(self, cosines: Tensor, embeddings: Tensor) -> Tensor:
        quality = self.quality(embeddings)
        return rotated_within(cosines, -self.config.margin * quality, 1e-3) - self.config.margin * (quality + 1)

    @torch.no_grad()
    def quality(self, embeddings: Tensor) -> Tensor:
        """q (N, 1) of embeddings (N, dimension); in training the averages are updated first."""
        norms = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True).clamp(0.001, 100)
        if self.training and len(norms) > 1:
            self.mean.lerp_(norms.mean().to(self.mean.dtype), self.config.momentum)
            self.deviation.lerp_(norms.std().to(self.deviation.dtype), self.config.momentum)
        return (self.config.concentration * (norms - self.mean) / (self.deviation + 1e-3)).clamp(-1, 1)
