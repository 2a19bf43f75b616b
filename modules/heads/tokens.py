"""The head of face transformers, as in arcface_torch of InsightFace: all tokens, two linear layers, each with normalization.

Tokens are flattened place by place, as in the public networks, whose ``feature`` layers are these: linear, BN, linear, BN,
without biases. With 144 tokens of 512 channels it has 38,012,928 parameters.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from configs.network_interfaces import HeadConfig
from modules.layers.vit import tokens_of

_EPS = 2e-5  # of the normalizations, as in the public networks


class TokensConfig(HeadConfig):
    """For a map with one location per token, such as that of ``face_vit`` and ``timm``.

    Fields:
        dimension: of the embedding
        pool: ``flatten`` keeps every token, so the head only works with the input size it was built for; ``average`` takes
            their mean
        hidden: width between the linear layers; None: that of a token, as in the public networks
    """

    name: Literal["tokens"] = "tokens"
    dimension: int = Field(default=512, ge=1)
    pool: Literal["flatten", "average"] = "flatten"
    hidden: int | None = Field(default=None, ge=1)

    def build(self, channels: int, height: int, width: int) -> TokenHead:
        places = height * width if self.pool == "flatten" else 1
        return TokenHead(channels * places, self.hidden or channels, self.dimension, self.pool)


class TokenHead(nn.Module):
    """Training needs batches of at least two images: the normalizations are over vectors."""

    def __init__(self, values: int, hidden: int, dimension: int, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.linear = nn.Linear(values, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden, eps=_EPS)
        self.last = nn.Linear(hidden, dimension, bias=False)
        self.out = nn.BatchNorm1d(dimension, eps=_EPS)
        for layer in (self.linear, self.last):
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension), not L2-normalized."""
        values = features.mean(dim=(2, 3)) if self.pool == "average" else tokens_of(features).flatten(1)
        return self.out(self.last(self.norm(self.linear(values))))
