"""A classifier of two classes with one logit: sigmoid and binary cross-entropy (Debreczeni et al., Section III-B: gender).

The probability of the second class is sigmoid(w x + b). The logits of the two classes are -z / 2 and z / 2, whose softmax is
this sigmoid, so accuracy, validation loss and explanations are those of any classifier.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.layers.class_weights import ClassWeightedLossConfig, ClassWeights
from modules.layers.normalize import full_precision, wide


class BinaryConfig(ClassWeightedLossConfig):
    """For two classes; ``class_weights`` as in ``modules.layers.class_weights``."""

    name: Literal["binary"] = "binary"
    required_classes: ClassVar[int | None] = 2

    def build(self, dimension: int, classes: int) -> Binary:
        """Raises ValueError if there are not two classes."""
        if classes != 2:
            raise ValueError(f"loss binary has one logit for two classes, and there are {classes}; use softmax")
        return Binary(dimension, self)


class Binary(ClassWeights):
    """Mean binary cross-entropy over the batch, with class weights if there are any."""

    def __init__(self, dimension: int, config: BinaryConfig) -> None:
        super().__init__(2, config)
        self.linear = nn.Linear(dimension, 1)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (N, 2) of embeddings (N, dimension): -z / 2 and z / 2, where z is the only output of the layer."""
        half = self.linear(embeddings) / 2
        return torch.cat([-half, half], dim=1)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in nats, float32 or wider.

        Raises:
            IndexError: on the CPU, a label is neither 0 nor 1; on a GPU, CUDA reports it.
        """
        logit = self.linear(embeddings).squeeze(1)
        with full_precision(embeddings):
            logit = wide(logit)
            truth = torch.arange(2, device=logit.device, dtype=logit.dtype).index_select(0, labels)  # not -1, which is unknown
            losses = functional.binary_cross_entropy_with_logits(logit, truth, reduction="none")
            weights = self.weights(logit.dtype)
            if weights is None:
                return losses.mean()
            chosen = weights[labels]
            return (chosen * losses).sum() / (chosen.sum() if self.config.weight_normalization == "weights" else len(labels))
