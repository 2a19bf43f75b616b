"""Gradient x input (Shrikumar et al., "Not Just a Black Box", 2016; the "Gradient" baseline of Xu et al., 2023).

The map is the signed sum over channels of x ds/dx: the drop of a linearised score if the pixel were set to 0. The input is in
[-1, 1], so 0 is mid-gray: a mid-gray pixel gets 0 for any gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from torch import Tensor

from configs.component import Born
from configs.explainers import ExplainerConfig
from modules.attribution.pixel_maps import PixelExplainer, gradients
from modules.attribution.targets import Target


class GradientXInputConfig(ExplainerConfig):
    """Applies to every network.

    Fields:
        absolute: the map is the sum's magnitude; a method that compares maps by rank then counts strong negative evidence as
            important
    """

    name: Literal["gradient_x_input"] = "gradient_x_input"
    absolute: Annotated[bool, Born(False)] = False

    def build(self) -> GradientXInput:
        return GradientXInput(self.absolute)


class GradientXInput(PixelExplainer):
    """Costs one forward and one backward pass per image."""

    def __init__(self, absolute: bool = False) -> None:
        self.absolute = absolute
        self.signed = not absolute

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W), in units of the score."""
        found = (image * gradients(network, image, target)[1])[0].sum(0)
        return found.abs() if self.absolute else found, {}
