"""The head of the ArcFace family (Deng et al., CVPR 2019, Section 3.2: BN, dropout, fully connected layer, BN)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig


class FcBnConfig(HeadConfig):
    """One linear layer spans the whole feature map, so the head only works with the input size it was built for.

    Fields:
        dimension: of the embedding
        dropout: dropout rate on the feature map
        affine: learned parameters of the last normalization: a shift with the scale fixed at 1 ("bias", as in the public
            networks), scale and shift ("full"), or neither ("none")
    """

    name: Literal["fc_bn"] = "fc_bn"
    dimension: int = Field(default=512, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    affine: Literal["bias", "full", "none"] = "bias"

    def build(self, channels: int, height: int, width: int) -> FcBn:
        return FcBn(channels * height * width, channels, self.dimension, self.dropout, self.affine)


class FcBn(nn.Module):
    """Training needs batches of at least two images: the last normalization is over embeddings."""

    def __init__(self, values: int, channels: int, dimension: int, dropout: float, affine: str) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(values, dimension)
        self.out = nn.BatchNorm1d(dimension, affine=affine != "none")
        if affine == "bias":
            self.out.weight.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, dimension), not L2-normalized."""
        return self.out(self.linear(self.dropout(self.norm(features)).flatten(1)))
