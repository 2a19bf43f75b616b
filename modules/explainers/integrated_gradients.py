"""Integrated gradients (Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017).

Equation 1: (x - x') times the integral of ds/dx along the straight line from a baseline x' to the image x. Here it is summed
over the channels, with its sign. By completeness (Proposition 1) the map sums to s(x) - s(x') if the integral is exact; the
residual is reported in the notes.

The proposition requires the true gradient, so the embedding's norm is not held constant when a cosine is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.batch_size import batch_of
from modules.attribution.checks import finite_scores
from modules.attribution.pixel_maps import PixelExplainer, mean_gradient
from modules.attribution.targets import Cosine, Target


class IntegratedGradientsConfig(ExplainerConfig):
    """Applies to every network.

    Fields:
        baseline: ``black`` (-1), ``white`` (1), or ``mean``: the mean color of the image. A pixel of the baseline's color
            gets 0, e.g. black hair with ``black``
        steps: number of points on the line (Gauss-Legendre quadrature)
        batch: points per forward pass; on a GPU, the default stands for as many as fit. Must divide ``steps``, so that all
            batches have the same shape
    """

    name: Literal["integrated_gradients"] = "integrated_gradients"
    baseline: Literal["black", "mean", "white"] = "black"
    steps: int = Field(default=50, ge=1)
    batch: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.steps % self.batch:
            raise ValueError(f"explainer integrated_gradients: steps ({self.steps}) must be a multiple of batch ({self.batch})")
        return self

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.steps + 2

    def build(self) -> IntegratedGradients:
        return IntegratedGradients(self)


class IntegratedGradients(PixelExplainer[IntegratedGradientsConfig]):
    """Costs ``steps`` forward and backward passes plus two forward passes per image.

    Notes, per image: ``difference`` s(x) - s(x'), and ``residual``, that difference minus the sum of the map.
    """

    signed = True

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W), in units of the score."""
        if isinstance(target, Cosine):
            target = replace(target, detach_norm=False)
        base = self.baseline(image)
        places, weights = np.polynomial.legendre.leggauss(self.config.steps)  # on [-1, 1]
        along = torch.from_numpy((places + 1) / 2).to(image)[:, None, None, None]
        points = base + along * (image - base)
        batch = batch_of(self.config, image, self.config.steps, backward=True, divides=True)
        slope = mean_gradient(network, points, (weights / 2).tolist(), target, batch)
        found = ((image - base)[0].double() * slope).sum(0)
        ends = [float(finite_scores(network, network.embed(end.clone()), target)[0].detach()) for end in (image, base)]
        difference = ends[0] - ends[1]
        return found, {"difference": difference, "residual": difference - float(found.sum())}

    def baseline(self, image: Tensor) -> Tensor:
        """The baseline x', with the shape of the image."""
        if self.config.baseline == "mean":
            return image.mean(dim=(2, 3), keepdim=True).expand_as(image)
        return torch.full_like(image, -1.0 if self.config.baseline == "black" else 1.0)
