"""A small network with batch normalization and dropout, as explainers of class logits see it."""

from __future__ import annotations

import torch
from torch import nn

CLASSES = 5


class Loss(nn.Module):
    """The embedding's coordinates are the logits."""

    def logits(self, embeddings: torch.Tensor) -> torch.Tensor:
        return embeddings


class SmallClassifier(nn.Module):
    """Logits (N, 5) of images (N, 3, height, width); both sides are multiples of four pixels."""

    def __init__(self, height: int = 16, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.SiLU(inplace=True), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(inplace=True)
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(8 * (height // 4) * (width // 4), CLASSES))
        self.loss = Loss()

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images))
