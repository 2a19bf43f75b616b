"""Deconvnet (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014), run from the score down.

The gradient of the score with respect to the pixels, except that ReLU passes back the positive derivatives, regardless of its
input. Max pooling passes back to the location of its maximum (the paper's switches). The map is the largest absolute value over
the channels.
"""

from __future__ import annotations

from typing import Literal

from configs.explainers import ExplainerConfig
from modules.attribution.guided_gradients import GuidedExplainer


class DeconvnetConfig(ExplainerConfig):
    """Applies to networks whose activations are all ReLU; see ``modules.attribution.relu_guard`` for what is refused."""

    name: Literal["deconvnet"] = "deconvnet"

    def build(self) -> Deconvnet:
        return Deconvnet()


class Deconvnet(GuidedExplainer):
    """See ``GuidedExplainer``."""

    method = "Deconvolution"
    title = "Deconvnet"
