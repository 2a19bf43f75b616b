"""A linear classifier with cross-entropy (Ito et al., 2021, Section III: one fully connected layer)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from configs.kinds import LossConfig


class Config(LossConfig):
    """``label_smoothing`` spreads that share of the target evenly over all classes."""

    name: Literal["softmax"] = "softmax"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)

    def build(self, dimension: int, classes: int) -> Softmax:
        return Softmax(dimension, classes, self.label_smoothing)


class Softmax(nn.Module):
    """Mean cross-entropy of softmax(W x + b) over the batch."""

    def __init__(self, dimension: int, classes: int, label_smoothing: float) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, classes)
        self.label_smoothing = label_smoothing

    def logits(self, embeddings: Tensor) -> Tensor:
        """(N, dimension) to (N, classes)."""
        return self.linear(embeddings)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(N, dimension) and int64 (N,) to a scalar in nats."""
        return functional.cross_entropy(self.logits(embeddings), labels, label_smoothing=self.label_smoothing)
