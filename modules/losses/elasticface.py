"""ElasticFace: margins drawn from a normal distribution in each step (Boutros et al., CVPR workshops 2022, Eqs. 6 to 8)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from modules.layers.margin_softmax import MarginSoftmax, SampledMarginConfig, rotated


class ElasticFaceConfig(SampledMarginConfig):
    """The logit of the true class is s cos(theta + m) (``form: arc``) or s (cos(theta) - m) (``cos``). Each image's margin is
    drawn from N(``margin``, ``deviation``^2), limited to [0, pi / 2]; with ``plus`` the margins of a batch are sorted, and the
    image farthest from its center gets the largest one. Validation uses ``margin``. The paper has 0.5 and 0.0125 for arc, 0.35
    and 0.05 for cos, and with plus deviations of 0.0175 and 0.025.
    """

    name: Literal["elasticface"] = "elasticface"
    form: Literal["arc", "cos"] = "arc"
    margin: float = Field(default=0.5, ge=0, le=math.pi / 2)
    deviation: float = Field(default=0.0125, ge=0)
    plus: bool = False

    def build(self, dimension: int, classes: int) -> ElasticFace:
        return ElasticFace(dimension, classes, self)


class ElasticFace(MarginSoftmax):
    """Margins come from torch's global generator, whose state a checkpoint holds."""

    def margined(self, cosines: Tensor) -> Tensor:
        margins = self.margins(cosines.detach())
        return cosines - margins if self.config.form == "cos" else rotated(cosines, margins)

    def margins(self, cosines: Tensor) -> Tensor:
        """Margins of the same shape as cosines (N, 1)."""
        if not self.training:
            return torch.full_like(cosines, self.config.margin)
        drawn = (self.config.margin + self.config.deviation * torch.randn_like(cosines)).clamp(0, math.pi / 2)
        if not self.config.plus:
            return drawn
        return torch.empty_like(drawn).index_copy_(0, cosines[:, 0].argsort(), drawn.sort(0, descending=True).values)
