"""Base of guided backpropagation and Deconvnet: captum's backward rule for ReLU, on a network checked for compatibility."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from modules.attribution.checks import finite_scores
from modules.attribution.pixel_maps import PixelExplainer, strongest
from modules.attribution.relu_guard import relu_network
from modules.attribution.targets import Target


class Scored(nn.Module):
    """Maps images (N, 3, H, W) to scores (N,)."""

    def __init__(self, network: Any, target: Target) -> None:
        super().__init__()
        self.network = network
        self.target = target

    def forward(self, images: Tensor) -> Tensor:
        return finite_scores(self.network, self.network.embed(images.clone()), self.target)


class GuidedExplainer(PixelExplainer):
    """Costs one forward and one backward pass per image, one more forward pass, and a copy of the network in memory."""

    method: ClassVar[str]  # of captum.attr
    title: ClassVar[str]

    def prepared(self, network: Any, image: Tensor, target: Target) -> Any:
        """See ``relu_network``."""
        return relu_network(network, image, target, self.title)

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W): the largest absolute value of the modified gradient over the channels."""
        from captum import attr

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU")  # they are on a copy
            made = getattr(attr, self.method)(Scored(network, target))
            found = made.attribute(image.detach().clone().requires_grad_())
        return strongest(found[0].detach()), {}
