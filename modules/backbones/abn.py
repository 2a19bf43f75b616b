"""Attention Branch Network (Fukui et al., CVPR 2019; Ito et al., 2021, Section II-v) on any convolutional backbone.

A branch looks at the backbone's feature map g through response maps r: from them comes a map M = sigmoid(conv(r)), one number
per cell, and a classification of its own, CAM-like, from their means. What goes on is g (1 + M) (Fukui's equation 2), or g M
(equation 1). The loss is the sum of both classifications' (equation 3); the branch's is added by ``modules.network``.

In the original there are as many response maps as classes. Here their number is a field and a linear layer follows their means,
which is the same function where the numbers agree, and lets a network of many classes have an attention branch.

``imagenet`` and ``checkpoint`` pretraining fill the inner backbone; the branch starts as it was drawn, unless the file is of a
trained ABN.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from configs.interfaces import BackboneConfig
from configs.lookup import component


class ABNConfig(BackboneConfig):
    """Input, channels and map are the inner backbone's, which must have more than one cell; the head begins after ``attended``.

    The map M is the output of the stage ``attention``: an explanation without a method. Explainers that apply to the inner
    backbone apply here too.

    Fields:
        backbone: what is attended to
        residual: x * M + x; otherwise x * M
        maps: response maps in the branch
        weight: of the branch's classification in the loss; at 0 it has none
    """

    name: Literal["abn"] = "abn"
    backbone: component("backbone")  # type: ignore[valid-type]
    residual: bool = True
    maps: int = Field(default=512, ge=1)
    weight: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _once(self) -> Self:
        if isinstance(self.backbone, ABNConfig):
            raise ValueError("backbone abn has one attention branch; name a plain backbone inside it, not another abn")
        return self

    def build(self) -> AttentionBranchNetwork:
        """Errors are the inner backbone's, such as a model without a spatial feature map."""
        return AttentionBranchNetwork(self.backbone.build(), self)

    def weights_of(self, source: str) -> Any:
        return self.backbone.weights_of(source)


class AttentionBranchNetwork(nn.Module):
    """An inner backbone, its attention branch, and their product.

    Attributes:
        inner: the backbone that is attended to
        channels: of the feature map
        auxiliary_dimension, auxiliary_weight: what ``modules.network`` needs to know of the second classification
    """

    def __init__(self, inner: Any, config: ABNConfig) -> None:
        super().__init__()
        self.inner = inner
        self.channels: int = inner.channels
        self.auxiliary_dimension = config.maps
        self.auxiliary_weight = config.weight
        self.responses = nn.Sequential(
            nn.BatchNorm2d(self.channels),
            nn.Conv2d(self.channels, config.maps, 1, bias=False),
            nn.BatchNorm2d(config.maps),
            nn.ReLU(),
        )
        self.attention = nn.Sequential(nn.Conv2d(config.maps, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid())
        self.attended = Attended(config.residual)

    def stages(self) -> dict[str, nn.Module]:
        """The inner backbone's stages, ``attention`` (N, 1, h, w), and ``attended``, which is the feature map."""
        return {**self.inner.stages(), "attention": self.attention, "attended": self.attended}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, channels, h, w)."""
        return self.forward_auxiliary(images)[0]

    def forward_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As ``forward``; and the means of the response maps (N, maps), which the second classification is made from.

        Raises:
            ValueError: the inner backbone's map has one cell only.
        """
        features = self.inner(images)
        height, width = features.shape[2:]
        if height * width == 1:
            raise ValueError("its feature map is 1 x 1, and attention needs a place to choose")
        responses = self.responses(features)
        return self.attended(features, self.attention(responses)), responses.mean(dim=(2, 3))


class Attended(nn.Module):
    """x * M + x, or x * M."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, features: Tensor, attention: Tensor) -> Tensor:
        """(N, C, h, w) and (N, 1, h, w) to (N, C, h, w)."""
        found = features * attention
        return found + features if self.residual else found
