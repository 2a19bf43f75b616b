"""Guided Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
ICCV 2017, Section 3.1).

The product, pixel by pixel, of guided backpropagation and the Grad-CAM map, which is enlarged to the image by bilinear
interpolation. The map is the largest absolute value over the channels; as Grad-CAM has no negative values, it is the product of
both methods' maps.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.layer_maps import LayerConfig
from modules.attribution.targets import Target
from modules.explainers.gradcam import GradCAM
from modules.explainers.guided_backprop import GuidedBackprop
from modules.shape_inference import Size


class GuidedGradCAMConfig(LayerConfig):
    """See ``LayerConfig`` for the layer of Grad-CAM, and ``modules.attribution.relu_guard`` for what is refused."""

    name: Literal["guided_gradcam"] = "guided_gradcam"

    def build(self) -> GuidedGradCAM:
        return GuidedGradCAM(self)


class GuidedGradCAM(Explainer[GuidedGradCAMConfig]):
    """Costs as much as ``guided_backprop`` and ``gradcam`` together."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``. Maps have the resolution of the images.

        Raises:
            Refused: codes of Grad-CAM (``layer_too_coarse``, ``no_such_layer``) and of guided backpropagation (``not_relu``,
                ``functional_relu``), and ``not_finite``.
        """
        coarse = GradCAM(self.config).explain(network, images, target, size)
        fine = GuidedBackprop().explain(network, images, target, size)
        large = functional.interpolate(torch.from_numpy(coarse.maps)[:, None], fine.maps.shape[1:], mode="bilinear")
        maps = large[:, 0].numpy() * fine.maps
        empty = np.flatnonzero(~maps.any(axis=(1, 2))).tolist()
        return Attribution(maps, coarse.layer, coarse.layer_shape, target.words, {"empty_maps": empty})
