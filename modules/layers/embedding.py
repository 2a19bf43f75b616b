"""A backbone whose feature map has one pixel, the embedding: the head ``gmp`` hands it on unchanged."""

from __future__ import annotations

from torch import Tensor, nn


class Embedding(nn.Module):
    """The module ``embedding`` as the only stage.

    Args:
        embedding: from images (N, 3, H, W) in [-1, 1] to (N, channels, 1, 1)
        channels: of the embedding
    """

    def __init__(self, embedding: nn.Module, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.embedding = embedding

    def stages(self) -> dict[str, nn.Module]:
        return {"embedding": self.embedding}

    def forward(self, images: Tensor) -> Tensor:
        return self.embedding(images)
