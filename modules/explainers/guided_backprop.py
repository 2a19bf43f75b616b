"""Guided backpropagation (Springenberg et al., "Striving for Simplicity: The All Convolutional Net", ICLR workshop 2015).

The gradient of the score with respect to the pixels, except that ReLU passes back a derivative only where both the derivative
and the ReLU's input are positive. The map is the largest absolute value over the channels.
"""

from __future__ import annotations

from typing import Literal

from configs.explainers import ExplainerConfig
from modules.attribution.guided_gradients import GuidedExplainer


class GuidedBackpropConfig(ExplainerConfig):
    """Applies to networks whose activations are all ReLU; see ``modules.attribution.relu_guard`` for what is refused."""

    name: Literal["guided_backprop"] = "guided_backprop"

    def build(self) -> GuidedBackprop:
        return GuidedBackprop()


class GuidedBackprop(GuidedExplainer):
    """See ``GuidedExplainer``."""

    method = "GuidedBackprop"
    title = "guided backpropagation"
