"""Backbone, head and loss as one network; torch only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from configs.contract import broken, naming
from configs.network_interfaces import BackboneConfig, DecoderConfig, HeadConfig, LossConfig
from modules.layers.gathering import gathered, mean_of_batch
from modules.layers.loss_contract import checked_logits, checked_loss, checked_module
from modules.layers.margin_softmax import MarginSoftmax
from modules.layers.normalize import without_float16
from modules.losses.softmax import SoftmaxConfig
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


def loss_of(loss: LossConfig, head: HeadConfig, classes: int | Mapping[str, int], shape: tuple[int, int, int]) -> Any:
    """The built loss of a network with this head.

    Args:
        classes: number of training identities; of several targets the number of classes of each, by name
        shape: (C, h, w) of the feature map

    Raises:
        ContractError: it is no ``nn.Module``, or has no ``logits``; see ``checked_module``.
    """
    if isinstance(loss, TargetsConfig):
        assert isinstance(classes, Mapping), "several targets have several numbers of classes"
        return loss.build_on(head.dimension, classes, shape)
    assert isinstance(classes, int), "one target has one number of classes"
    return checked_module(loss.build(head.dimension, classes), loss.name, loss.classifies)


def auxiliary_of(backbone: Any, loss: LossConfig, classes: int | Mapping[str, int]) -> Any:
    """The classifier of a built backbone's auxiliary classification, of the identities or the primary target; None without one.

    Raises:
        ValueError: no target has classes.
    """
    if getattr(backbone, "auxiliary_weight", 0.0) <= 0:
        return None
    if isinstance(loss, TargetsConfig):
        assert isinstance(classes, Mapping), "several targets have several numbers of classes"
        classes = classes[loss.primary]
        if not classes:
            raise ValueError(
                f"backbone.weight: the attention branch learns to classify, and no target has classes "
                f"({', '.join(loss.names)}); add a target with classes, or set backbone.weight to 0"
            )
    assert isinstance(classes, int), "one target has one number of classes"
    return SoftmaxConfig().build(backbone.auxiliary_dimension, classes)


class Network(nn.Module):
    """images -> backbone -> feature map -> head -> embedding -> loss; optionally also feature map -> decoder -> images.

    Weights are initialized from torch's global generator only, in the order backbone, head, loss, auxiliary, decoder.

    A backbone with an auxiliary classification, such as abn, has ``auxiliary_dimension``, ``auxiliary_weight`` and
    ``forward_auxiliary(images) -> (feature map, vectors (N, auxiliary_dimension))``. The auxiliary classifier is part of this
    class, so that the backbone's weights do not depend on the number of classes. Of several targets it classifies the primary
    one.

    Args:
        backbone_config: maps images to the feature map
        head_config: built for the feature map's shape at ``size``
        loss_config: contains the classifier; for several targets see ``modules.targets``
        classes: number of training identities; for several targets the number of classes of each, by name
        size: (height, width) of the images in pixels, or one number for both
        decoder: maps the feature map back to images; None: no reconstruction
        reconstruction: lambda of Xu et al. (2023), equation 2: the weight of the reconstruction's mean squared error

    Raises:
        ValueError: the backbone does not support the image size, the head or decoder does not support the feature map, there
            is a ``reconstruction`` without a decoder, or an auxiliary classification and no target with classes.

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
        self.classifies = loss_config.classifies
        self.loss_name, self.head_name, self.dimension = loss_config.name, head_config.name, head_config.dimension
        self.loss: Any = loss_of(loss_config, head_config, classes, (channels, height, width))
        self.class_count = classes if isinstance(classes, int) else classes[loss_config.primary]  # type: ignore[attr-defined]
        self.auxiliary: Any = auxiliary_of(self.backbone, loss_config, classes)
        self.decoder: nn.Module | None = decoder.build(channels, height, width, sides(size)) if decoder else None
        self.reconstruction = reconstruction

    def features(self, images: Tensor) -> Tensor:
        """Feature map (N, C, h, w) of images (N, 3, height, width) in [-1, 1]."""
        return self.backbone(images)

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings (N, dimension), not normalized, of images (N, 3, height, width) in [-1, 1]."""
        return self._embedded(self.features(images))

    def _embedded(self, features: Tensor) -> Tensor:
        """The head's output.

        Raises:
            ContractError: it is not (N, dimension).
        """
        found = self.head(features)
        if not isinstance(found, Tensor) or tuple(found.shape) != (len(features), self.dimension):
            with naming("head", self.head_name):
                expected = f"a tensor ({len(features)}, {self.dimension}), one embedding per image"
                raise broken("forward returned", found, expected, "head")
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, 3, height, width) in [-1, 1]."""
        logits = self.loss.logits(self.embed(images))
        return checked_logits(logits, self.loss_name, len(images), self.class_count)

    def loss_of(self, images: Tensor, labels: Tensor, seed: int | None = None) -> Tensor:
        """The training loss, a scalar; on several devices that of the whole batch, on each of them.

        Args:
            images: (N, 3, height, width) in [-1, 1], on several devices those of this rank
            labels: int64 (N,), or for several targets as in ``TargetLosses.forward``; on several devices of the whole batch
            seed: of the random numbers that losses draw, the same on all ranks; None: torch's generator as it is
        """
        if seed is not None and isinstance(self.loss, MarginSoftmax):
            self.loss.draw(labels, seed)
        if self.auxiliary is None:
            features = self.features(images)
        else:
            features, seen = self.backbone.forward_auxiliary(images)
        embeddings = self._embedded(features)
        if seed is not None:
            torch.manual_seed(seed)
        known = self.loss.known(labels) if isinstance(self.loss, TargetLosses) else None
        found = self.loss(gathered(embeddings), labels) if known is None else self.loss(embeddings, labels, features, known)
        loss = checked_loss(found, self.loss_name, embeddings)
        if self.auxiliary is not None:
            loss = loss + self.backbone.auxiliary_weight * self._auxiliary_loss(gathered(seen), labels, known)
        if self.decoder is not None:
            error = functional.mse_loss(self.decoder(features), images)
            loss = loss + self.reconstruction * mean_of_batch(error, len(images))
        return loss

    def _auxiliary_loss(self, seen: Tensor, labels: Tensor, known: list[Tensor] | None) -> Tensor:
        """The loss of the auxiliary classification: of the primary target if there are several, where its class is known."""
        if known is not None:
            place = self.loss.config.names.index(self.loss.config.primary)
            if not len(known[place]):
                return seen.sum() * 0
            seen, labels = seen[known[place]], labels[:, place][known[place]].long()
        return self.auxiliary(seen, labels)

    def measure(self, images: Tensor, labels: Tensor) -> dict[str, Measured]:
        """Validation sums of each target (for several targets), see ``TargetLosses.measure``."""
        assert isinstance(self.loss, TargetLosses), "this network has one target"
        features = self.features(images)
        return self.loss.measure(self._embedded(features), labels, features)

    def predictions(self, images: Tensor) -> dict[str, Tensor]:
        """Predictions of each target (for several targets), see ``TargetLosses.predictions``."""
        assert isinstance(self.loss, TargetLosses), "this network has one target"
        features = self.features(images)
        return self.loss.predictions(self.head(features), features)

    def decoding_loss(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error, a scalar; the loss if only the decoder is trained. Never in float16, since the
        features of a frozen network may be beyond its range."""
        assert self.decoder is not None, "this network has no decoder"
        with without_float16(images):
            with torch.no_grad():
                features = self.features(images)
            return functional.mse_loss(self.decoder(features), images)
