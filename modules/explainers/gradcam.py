"""Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017).

For a class score y and the feature maps A_k of a layer, equation 1 gives the weights a_k = mean over locations of dy/dA_k, and
equation 2 the map ReLU(sum_k a_k A_k). The score is the logit, before the softmax. The raw map is returned, at the resolution
of the layer: neither upsampled nor scaled.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from modules.attribution.layer_maps import LayerConfig, LayerExplainer, weighted


class GradCAMConfig(LayerConfig):
    """See ``LayerConfig``."""

    name: Literal["gradcam"] = "gradcam"

    def build(self) -> GradCAM:
        return GradCAM(self)


class GradCAM(LayerExplainer):
    """See ``LayerExplainer``."""

    def map_of(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Equations 1 and 2 of the paper: map (h, w) from activation and gradient, both (channels, h, w)."""
        return weighted(activation, gradient.mean(dim=(1, 2)))
