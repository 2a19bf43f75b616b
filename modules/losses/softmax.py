"""A linear classifier with cross-entropy (Ito et al., 2021, Section III: one fully connected layer)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from configs.component import Born
from configs.interfaces import LossConfig
from modules.layers.normalize import full_precision, wide


class SoftmaxConfig(LossConfig):
    """``label_smoothing`` is the share of the target distributed evenly over all classes.

    ``class_weights`` gives rare classes more weight (Debreczeni et al. weight the classes of FairFace). A class with n_c
    training images has weight 1 / n_c (``inverse``), or (1 - beta) / (1 - beta^n_c) (``effective_number``; Cui et al., CVPR
    2019, Eq. 2), scaled so that the mean weight is 1. A class without training images has weight 0.
    """

    name: Literal["softmax"] = "softmax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Annotated[Literal["none", "inverse", "effective_number"], Born("none")] = "none"
    beta: Annotated[float, Born(0.9999)] = Field(default=0.9999, ge=0, lt=1)  # of effective_number

    def build(self, dimension: int, classes: int) -> Softmax:
        return Softmax(dimension, classes, self)


class Softmax(nn.Module):
    """Mean cross-entropy of softmax(W x + b) over the batch; with class weights sum(w l) / sum(w), as in torch."""

    class_weights: Tensor

    def __init__(self, dimension: int, classes: int, config: SoftmaxConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, classes)
        self.config = config
        self._prepared = config.class_weights == "none"
        if not self._prepared:  # buffer only if needed, so that the state dict of other networks is unchanged
            self.register_buffer("class_weights", torch.full((classes,), torch.nan))

    def prepare(self, counts: Tensor) -> None:
        """Sets the class weights from the number of training images of each class, int64 (classes,)."""
        if self.config.class_weights == "none":
            return
        self.class_weights.copy_(class_weights(counts, self.config.class_weights, self.config.beta))
        self._prepared = True

    def logits(self, embeddings: Tensor) -> Tensor:
        """Logits (N, classes) of embeddings (N, dimension)."""
        return self.linear(embeddings)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,): a scalar in nats, float32 or wider."""
        if not self._prepared:  # or loaded; checked only once, since the check waits for the GPU
            assert not self.class_weights.isnan().any(), "class weights: prepare(counts) was not called"
            self._prepared = True
        logits = self.logits(embeddings)
        with full_precision(embeddings):
            logits = wide(logits)
            weight = None if self.config.class_weights == "none" else self.class_weights.to(logits.dtype)
            return functional.cross_entropy(logits, labels, weight=weight, label_smoothing=self.config.label_smoothing)


def class_weights(counts: Tensor, formula: str, beta: float) -> Tensor:
    """Class weights, float64 with mean 1, from the number of training images of each class, (classes,).

    Raises:
        ValueError: no class has an image.
    """
    images = counts.double()
    if not (images > 0).any():
        raise ValueError("class weights need training images, and no class has one")
    shares = images if formula == "inverse" else 1 - torch.pow(beta, images)
    weights = torch.where(images > 0, 1 / shares, 0)
    return weights * len(weights) / weights.sum()
