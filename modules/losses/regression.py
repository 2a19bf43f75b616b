"""Regression of numbers, such as age in years: a linear layer on the embedding, trained on the standardized error."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from configs.network_interfaces import LossConfig
from modules.layers.normalize import full_precision, wide

FORMS = {"l1": functional.l1_loss, "l2": functional.mse_loss, "huber": functional.smooth_l1_loss}


class RegressionConfig(LossConfig):
    """``form`` is the loss of an error: absolute, squared, or Huber with threshold one."""

    name: Literal["regression"] = "regression"
    form: Literal["l1", "l2", "huber"] = "l1"
    predicts: ClassVar[Literal["class", "number"]] = "number"
    classifies: ClassVar[bool] = False

    def build(self, dimension: int, classes: int) -> Regression:
        """``classes`` is not used."""
        return Regression(dimension, self)


class Regression(nn.Module):
    """The layer predicts (value - mean) / deviation of the training images' values."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dimension: int, config: RegressionConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, 1)
        self.form = FORMS[config.form]
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def prepare_values(self, values: Tensor) -> None:
        """Sets mean and standard deviation from the values of the training images, (N,)."""
        if len(values):
            self.mean.copy_(values.double().mean())
            spread = values.double().std(correction=0)
            self.deviation.copy_(spread if spread > 0 else torch.ones(()))

    def predict(self, embeddings: Tensor) -> Tensor:
        """Predictions (N,) in the unit of the values, from embeddings (N, dimension)."""
        found = self.linear(embeddings).squeeze(1)
        with full_precision(embeddings):  # in bfloat16, years lie 8 apart from 1,024 on
            return wide(found) * self.deviation + self.mean

    def forward(self, embeddings: Tensor, values: Tensor) -> Tensor:
        """Scalar loss of embeddings (N, dimension) and values (N,)."""
        found = self.linear(embeddings).squeeze(1)
        with full_precision(embeddings):
            found = wide(found)
            return self.form(found, (values.to(found.dtype) - self.mean) / self.deviation)
