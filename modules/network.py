"""Backbone, head and loss as one network; torch only."""

from __future__ import annotations

from torch import Tensor, nn

from configs.kinds import BackboneConfig, HeadConfig, LossConfig
from modules.shapes import feature_shape


class Network(nn.Module):
    """images -> backbone -> feature map -> head -> embedding -> loss.

    Weights are drawn from torch's global generator, in the order backbone, head, loss, and from nothing else.

    Args:
        backbone_config: images to the feature map
        head_config: built for the feature map's shape at ``size``
        loss_config: holds the classifier
        classes: number of identities that are trained on
        size: height and width of the images in pixels

    Raises:
        ValueError: the backbone cannot take images of that size.
    """

    def __init__(
        self, backbone_config: BackboneConfig, head_config: HeadConfig, loss_config: LossConfig, classes: int, size: int
    ) -> None:
        super().__init__()
        channels, height, width = feature_shape(backbone_config, size)
        self.backbone = backbone_config.build()
        self.head = head_config.build(channels, height, width)
        self.loss = loss_config.build(head_config.dimension, classes)

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, size, size) in [-1, 1] to the feature map (N, C, h, w)."""
        return self.backbone(images)

    def embed(self, images: Tensor) -> Tensor:
        """(N, 3, size, size) in [-1, 1] to embeddings (N, dimension), not normalised."""
        return self.head(self.features(images))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, size, size) in [-1, 1] to logits (N, classes)."""
        return self.loss.logits(self.embed(images))

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        """The training loss, a scalar; labels are int64 (N,)."""
        return self.loss(self.embed(images), labels)
