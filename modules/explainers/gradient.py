"""The gradient of the score w.r.t. the pixels (Simonyan et al., "Deep Inside Convolutional Networks", ICLR workshop 2014).

The map of Section 3.1: at each pixel the largest absolute value of ds/dx over the three channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.pixel_maps import PixelExplainer, gradients, strongest
from modules.attribution.targets import Target


class GradientConfig(ExplainerConfig):
    """Applies to every network."""

    name: Literal["gradient"] = "gradient"

    def build(self) -> Gradient:
        return Gradient()


class Gradient(PixelExplainer):
    """Costs one forward and one backward pass per image."""

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W), in units of score per unit of input; the input range is 2 units wide."""
        return strongest(gradients(network, image, target)[1][0]), {}
