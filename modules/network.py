"""Backbone, head and loss as one network; torch only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from configs.interfaces import BackboneConfig, DecoderConfig, HeadConfig, LossConfig
from modules.losses import softmax
from modules.shape_inference import Size, feature_shape, sides


def embedding_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of the weights that make embeddings, of a network's ``state_dict``: classifier and decoder do not count."""
    total = hashlib.sha256()
    for name in sorted(name for name in state if name.startswith(("backbone.", "head."))):
        value = state[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


class Network(nn.Module):
    """images -> backbone -> feature map -> head -> embedding -> loss; beside it, where asked for, map -> decoder -> images.

    Weights are drawn from torch's global generator, in the order backbone, head, loss, auxiliary, decoder, and from nothing
    else.

    A backbone with a classification of its own, such as abn, has ``auxiliary_dimension``, ``auxiliary_weight`` and
    ``forward_auxiliary(images) -> (feature map, vectors (N, auxiliary_dimension))``. Its classifier is held here and not in the
    backbone, whose weights so depend on no number of classes.

    Args:
        backbone_config: images to the feature map
        head_config: built for the feature map's shape at ``size``
        loss_config: holds the classifier
        classes: number of identities that are trained on
        size: (height, width) of the images in pixels, or one number for both
        decoder: feature map back to images; None: no reconstruction
        reconstruction: lambda of Xu et al. (2023), equation 2: the weight of the reconstruction's mean squared error

    Raises:
        ValueError: the backbone cannot take images of that size, the head or the decoder not its map, or there is a
            ``reconstruction`` without a decoder.

    Attributes:
        classifies: whether the loss has ``logits``, and so the network a ``forward``
    """

    def __init__(
        self,
        backbone_config: BackboneConfig,
        head_config: HeadConfig,
        loss_config: LossConfig,
        classes: int,
        size: Size,
        decoder: DecoderConfig | None = None,
        reconstruction: float = 0.0,
    ) -> None:
        super().__init__()
        if decoder is None and reconstruction != 0:
            raise ValueError(
                f"reconstruction {reconstruction} weighs images that no decoder makes; name a decoder, or set it to 0"
            )
        channels, height, width = feature_shape(backbone_config, size)
        self.backbone = backbone_config.build()
        self.head = head_config.build(channels, height, width)
        self.loss = loss_config.build(head_config.dimension, classes)
        self.classifies = loss_config.classifies
        self.auxiliary: Any = None
        if getattr(self.backbone, "auxiliary_weight", 0.0) > 0:
            self.auxiliary = softmax.SoftmaxConfig().build(self.backbone.auxiliary_dimension, classes)
        self.decoder: nn.Module | None = None
        self.reconstruction = reconstruction
        if decoder is not None:
            self.decoder = decoder.build(channels, height, width, sides(size))

    def features(self, images: Tensor) -> Tensor:
        """(N, 3, height, width) in [-1, 1] to the feature map (N, C, h, w)."""
        return self.backbone(images)

    def embed(self, images: Tensor) -> Tensor:
        """(N, 3, height, width) in [-1, 1] to embeddings (N, dimension), not normalised."""
        return self.head(self.features(images))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, height, width) in [-1, 1] to logits (N, classes)."""
        return self.loss.logits(self.embed(images))

    def auxiliary_logits(self, images: Tensor) -> Tensor:
        """(N, 3, height, width) in [-1, 1] to the logits (N, classes) of the backbone's own classification."""
        assert self.auxiliary is not None, "this backbone classifies nothing"
        return self.auxiliary.logits(self.backbone.forward_auxiliary(images)[1])

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        """The training loss, a scalar; labels are int64 (N,)."""
        if self.auxiliary is None:
            features = self.features(images)
        else:
            features, seen = self.backbone.forward_auxiliary(images)
        loss = self.loss(self.head(features), labels)
        if self.auxiliary is not None:
            loss = loss + self.backbone.auxiliary_weight * self.auxiliary(seen, labels)
        if self.decoder is not None:
            loss = loss + self.reconstruction * functional.mse_loss(self.decoder(features), images)
        return loss

    def decoding_loss(self, images: Tensor) -> Tensor:
        """The mean squared error of images made again, a scalar, where nothing but the decoder learns."""
        assert self.decoder is not None, "this network has no decoder"
        with torch.no_grad():
            features = self.features(images)
        return functional.mse_loss(self.decoder(features), images)
