"""Attention Branch Network (Fukui et al., CVPR 2019; Ito et al., 2021, Section II-v) on any convolutional backbone.

A branch computes response maps r from the backbone's feature map g: these give an attention map M = sigmoid(conv(r)), one value
per location, and an auxiliary, CAM-like classification from their means. The output is g (1 + M) (Fukui's equation 2), or g M
(equation 1). The loss is the sum of both classification losses (equation 3); ``modules.network`` adds that of the branch.

In the original there are as many response maps as classes. Here their number is a field and a linear layer follows their means,
which is the same function if the numbers agree, and makes the branch usable with many classes.

``imagenet`` and ``checkpoint`` pretraining load the inner backbone; the branch is randomly initialized unless the file is of a
trained ABN.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from configs.lookup import component
from configs.network_interfaces import BackboneConfig


class ABNConfig(BackboneConfig):
    """Input, channels and map size are the inner backbone's; its map must be larger than 1 x 1. The head follows ``attended``.

    The attention map M is the output of the stage ``attention``, an explanation by itself. Explainers that apply to the inner
    backbone apply here too.

    Fields:
        backbone: the inner backbone
        residual: x * M + x; otherwise x * M
        maps: number of response maps in the branch
        weight: of the branch's classification in the loss; 0: no such classification
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
        """Raises the inner backbone's errors, e.g. for a model without a spatial feature map."""
        return AttentionBranchNetwork(self.backbone.build(), self)

    def weights_of(self, source: str) -> Any:
        return self.backbone.weights_of(source)


class AttentionBranchNetwork(nn.Module):
    """An inner backbone, its attention branch, and their product.

    Attributes:
        inner: the inner backbone
        channels: of the feature map
        auxiliary_dimension, auxiliary_weight: of the auxiliary classification, used by ``modules.network``
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
        """As ``forward``, plus the means of the response maps (N, maps), the input of the auxiliary classification.

        Raises:
            ValueError: the inner backbone's feature map is 1 x 1.
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
