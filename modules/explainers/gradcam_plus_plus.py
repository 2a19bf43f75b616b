"""Grad-CAM++ (Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations", WACV 2018).

The paper uses Y = exp(S) of the score S. With g = dS/dA_k at a location, its equation 19 then becomes

    alpha = g^2 / (2 g^2 + g^3 sum A_k),        summed over all locations,

and equation 5 gives the weights w_k = sum over locations of alpha ReLU(dY/dA_k), where dY/dA_k = exp(S) g. The factor exp(S) is
the same for all channels and overflows for large scores, so it is dropped, as in public code: w_k = sum of alpha ReLU(g). The
map is ReLU(sum_k w_k A_k). Unlike Grad-CAM, scaling the score changes more than the scale of the map.

Locations with g <= 0 contribute nothing, and for the others alpha = 1 / (2 + g sum A_k) exactly. We compute this form: squares
of small gradients do not underflow, and no constant is added to the denominator (the 1e-6 of public code dominates g^2 if
gradients are below 0.001, as at the last layer of a ResNet). The paper assumes A_k >= 0. After a layer without ReLU the sum,
and so alpha, may be negative; if the denominator is exactly zero, alpha is set to zero.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from modules.attribution.layer_maps import LayerConfig, LayerExplainer, weighted


class GradCAMPlusPlusConfig(LayerConfig):
    """See ``LayerConfig``."""

    name: Literal["gradcam_plus_plus"] = "gradcam_plus_plus"

    def build(self) -> GradCAMPlusPlus:
        return GradCAMPlusPlus(self)


class GradCAMPlusPlus(LayerExplainer):
    """See ``LayerExplainer``."""

    def map_of(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Map (h, w) from activation and gradient, both (channels, h, w)."""
        denominators = 2 + gradient * activation.sum(dim=(1, 2), keepdim=True)
        counts = (gradient > 0) & (denominators != 0)
        weights = torch.where(counts, gradient / torch.where(counts, denominators, 1), 0).sum(dim=(1, 2))
        return weighted(activation, weights)
