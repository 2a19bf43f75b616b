"""Center loss: pulls embeddings to their class center and updates the centers (Wen et al., ECCV 2016, Eqs. 2 to 4)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import LossConfig
from modules.layers.normalize import full_precision, wide


class CenterConfig(LossConfig):
    """``alpha`` is the update rate of the centers per step. It does not depend on the loss's weight in a sum."""

    name: Literal["center"] = "center"
    classifies: ClassVar[bool] = False
    alpha: float = Field(default=0.5, ge=0, le=1)

    def build(self, dimension: int, classes: int) -> Center:
        return Center(dimension, classes, self.alpha)


class Center(nn.Module):
    """L = 1/2 mean ||x - c||^2 over the batch, then c += alpha sum(x - c) / (1 + n) over the n images of each class in it.

    Embeddings are not normalized. Only the centers of the batch's classes are read and written, without a batch x classes
    matrix. The centers are a buffer, initialized to zero and updated by ``forward`` in training mode, so they are not affected
    by the optimizer or by gradient scaling.
    """

    def __init__(self, dimension: int, classes: int, alpha: float) -> None:
        super().__init__()
        self.register_buffer("centers", torch.zeros(classes, dimension))
        self.alpha = alpha

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Loss of embeddings (N, dimension) and labels int64 (N,), then updates the centers.

        The loss is a scalar in half squared distance, float32 or wider.
        """
        centers: Tensor = self.centers  # type: ignore[assignment]
        with full_precision(embeddings):
            away = wide(embeddings) - wide(centers.index_select(0, labels))  # which takes no -1
            if self.training:
                with torch.no_grad():
                    # The number of images of each image's class. The host would have to wait for the length of labels.unique().
                    ordered = labels.sort().values
                    images = torch.searchsorted(ordered, labels, right=True) - torch.searchsorted(ordered, labels)
                    pull = self.alpha * away / (1 + images)[:, None]
                    centers.index_add_(0, labels, pull.to(centers.dtype))
            return away.square().sum(dim=1).mean() / 2
