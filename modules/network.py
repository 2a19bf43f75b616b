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
from modules.targets import Measured, TargetLosses, TargetsConfig, head_of


def embedding_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of the weights in a ``state_dict`` that affect embeddings, i.e. without classifier and decoder."""
    total = hashlib.sha256()
    for name in sorted(name for name in state if name.startswith(("backbone.", "head."))):
        value = state[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


class Network(nn.Module):
    """images -> backbone -> feature map -> head -> embedding -> loss; optionally also feature map -> decoder -> images.

    Weights are initialised from torch's global generator only, in the order backbone, head, loss, auxiliary, decoder.

    A backbone with an auxiliary classification, such as abn, has ``auxiliary_dimension``, ``auxiliary_weight`` and
    ``forward_auxiliary(images) -> (feature map, vectors (N, auxiliary_dimension))``. The auxiliary classifier is part of this
    class, so that the backbone's weights do not depend on the number of classes.

    Args:
        backbone_config: maps images to the feature map
        head_config: built for the feature map's shape at ``size``
        loss_config: contains the classifier; for several targets see ``modules.targets``
        classes: number of training identities; for several targets the number of classes of each, by name
        size: (height, width) of the images in pixels, or one number for both
        decoder: maps the feature map back to images; None: no reconstruction
        reconstruction: lambda of Xu et al. (2023), equation 2: the weight of the reconstruction's mean squared error

    Raises:
        ValueError: the backbone does not support the image size, the head or decoder does not support the feature map, or there
            is a ``reconstruction`` without a decoder.

    Attributes:
        classifies: whether the loss has ``logits``, so that ``forward`` is available
    """

    def __init__(
        self,
        backbone_config: BackboneConfig,
        head_config: HeadConfig,
        loss_config: LossConfig,
        classes: int | Mapping[str, int],
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
        head_config = head_of(head_config, loss_config)
        self.head = head_config.build(channels, height, width)
        self.loss: Any
        self.auxiliary: Any = None
        self.classifies = loss_config.classifies
        if isinstance(loss_config, TargetsConfig):
            assert isinstance(classes, Mapping), "several targets have several numbers of classes"
            if getattr(self.backbone, "auxiliary_weight", 0.0) > 0:
                raise ValueError(f"backbone {backbone_config.name} classifies identities itself, so it takes no other targets")
            self.loss = loss_config.build_on(head_config.dimension, classes, (channels, height, width))
        else:
            assert isinstance(classes, int), "one target has one number of classes"
            self.loss = loss_config.build(head_config.dimension, classes)
            self._add_auxiliary(classes)
        self._add_decoder(decoder, reconstruction, (channels, height, width), size)

    def _add_auxiliary(self, classes: int) -> None:
        if getattr(self.backbone, "auxiliary_weight", 0.0) > 0:
            self.auxiliary = softmax.SoftmaxConfig().build(self.backbone.auxiliary_dimension, classes)

    def _add_decoder(
        self, decoder: DecoderConfig | None, reconstruction: float, shape: tuple[int, int, int], size: Size
    ) -> None:
        self.decoder: nn.Module | None = None
        self.reconstruction = reconstruction
        if decoder is not None:
            self.decoder = decoder.build(*shape, sides(size))

    def features(self, images: Tensor) -> Tensor:
        """Feature map (N, C, h, w) of images (N, 3, height, width) in [-1, 1]."""
        return self.backbone(images)

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (N, dimension), not normalised, of images (N, 3, height, width) in [-1, 1]."""
        return self.head(self.features(images))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, 3, height, width) in [-1, 1]."""
        return self.loss.logits(self.embed(images))

    def auxiliary_logits(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of the auxiliary classification, for images (N, 3, height, width) in [-1, 1]."""
        assert self.auxiliary is not None, "this backbone classifies nothing"
        return self.auxiliary.logits(self.backbone.forward_auxiliary(images)[1])

    def loss_of(self, images: Tensor, labels: Tensor) -> Tensor:
        """The training loss, a scalar; labels are int64 (N,), or for several targets as in ``TargetLosses.forward``."""
        if self.auxiliary is None:
            features = self.features(images)
        else:
            features, seen = self.backbone.forward_auxiliary(images)
        embeddings = self.head(features)
        several = isinstance(self.loss, TargetLosses)
        loss: Tensor = self.loss(embeddings, labels, features) if several else self.loss(embeddings, labels)
        if self.auxiliary is not None:
            loss = loss + self.backbone.auxiliary_weight * self.auxiliary(seen, labels)
        if self.decoder is not None:
            loss = loss + self.reconstruction * functional.mse_loss(self.decoder(features), images)
        return loss

    def measure(self, images: Tensor, labels: Tensor) -> dict[str, Measured]:
        """Validation sums of each target (for several targets), see ``TargetLosses.measure``."""
        assert isinstance(self.loss, TargetLosses), "this network has one target"
        features = self.features(images)
        return self.loss.measure(self.head(features), labels, features)

    def predictions(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions of each target (for several targets), see ``TargetLosses.predictions``."""
        assert isinstance(self.loss, TargetLosses), "this network has one target"
        features = self.features(images)
        return self.loss.predictions(self.head(features), features)

    def decoding_loss(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error, a scalar; the loss if only the decoder is trained."""
        assert self.decoder is not None, "this network has no decoder"
        with torch.no_grad():
            features = self.features(images)
        return functional.mse_loss(self.decoder(features), images)
