"""The blocks of a vision transformer (Dosovitskiy et al., ICLR 2021) on feature maps.

A map (N, C, h, w) holds one token for each patch, row by row. Blocks take and return maps, so that each of them can be a stage
of a backbone; between blocks the conversions are views and copy nothing. In training with ``TokenMask`` some tokens are left
out, and blocks take and return the remaining tokens (N, L, C).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modules.layers.normalize import full_precision, wide


def tokens_of(features: Tensor) -> Tensor:
    """A map (N, C, h, w) to its tokens (N, h w, C), row by row; tokens stay as they are."""
    return features.flatten(2).transpose(1, 2) if features.ndim == 4 else features


def map_of(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens (N, h w, C), row by row, to a map (N, C, h, w)."""
    return tokens.transpose(1, 2).unflatten(2, (height, width))


class PatchEmbedding(nn.Module):
    """One token for each patch: a convolution whose stride is its kernel. Incomplete patches at the end are cut."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, width, H // patch, W // patch)."""
        return self.proj(images)


class Positions(nn.Module):
    """Adds a learned vector to the token of each place."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, places, width))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """A map (N, width, h, w) with h w = places to the same."""
        return features + map_of(self.weight, features.shape[2], features.shape[3])


class TokenMask(nn.Module):
    """Leaves out a share of each image's tokens in training; afterwards one learned token stands at their places.

    Which ones is drawn from torch's generator of the device, separately for each image.
    """

    def __init__(self, ratio: float, width: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.token = nn.Parameter(torch.empty(1, 1, width))
        nn.init.normal_(self.token, std=0.02)

    def drop(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (N, L, C) to those that are kept (N, int(L (1 - ratio)), C), and their places int64 (N, kept)."""
        count = int(tokens.shape[1] * (1 - self.ratio))
        places = torch.rand(tokens.shape[:2], device=tokens.device).argsort(dim=1)[:, :count]
        return tokens.gather(1, _along(places, tokens)), places

    def restore(self, kept: Tensor, places: Tensor, total: int) -> Tensor:
        """The kept tokens at their places and the learned token at all others: (N, total, C)."""
        filled = self.token.to(kept.dtype).expand(len(kept), total, -1)
        return filled.scatter(1, _along(places, kept), kept)


def _along(places: Tensor, tokens: Tensor) -> Tensor:
    return places.unsqueeze(2).expand(-1, -1, tokens.shape[2])


class Attention(nn.Module):
    """Multi-head self-attention; products and softmax are in float32 at least, also under autocast."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, L, width) to the same."""
        split = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, N, heads, L, width / heads)
        with full_precision(tokens):
            query, key, value = wide(split)
            weights = (query @ key.transpose(2, 3) * query.shape[3] ** -0.5).softmax(dim=3)
            found = (weights @ value).transpose(1, 2).flatten(2)
        return self.proj(found)


class Perceptron(nn.Module):
    """Two linear layers with ReLU6 between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.ReLU6()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, L, width) to the same."""
        return self.fc2(self.act(self.fc1(tokens)))


class Block(nn.Module):
    """Attention and perceptron, each after a layer normalization and added to its input.

    Args:
        width: of a token
        heads: of the attention
        hidden: width of the perceptron
        drop_path: probability that an image skips a branch in training (Huang et al., "Deep Networks with Stochastic Depth",
            ECCV 2016)
    """

    def __init__(self, width: int, heads: int, hidden: int, drop_path: float) -> None:
        from torchvision.ops import StochasticDepth

        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, hidden)
        self.drop: nn.Module = StochasticDepth(drop_path, mode="row") if drop_path > 0 else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """A map (N, width, h, w), or tokens (N, L, width), to the same."""
        tokens = tokens_of(features)
        tokens = tokens + self.drop(self.attn(self.norm1(tokens)))
        tokens = tokens + self.drop(self.mlp(self.norm2(tokens)))
        return map_of(tokens, features.shape[2], features.shape[3]) if features.ndim == 4 else tokens


class TokenNorm(nn.LayerNorm):
    """Layer normalization of each token, computed in float32 at least."""

    def forward(self, features: Tensor) -> Tensor:
        """A map (N, C, h, w), or tokens (N, L, C), to the same."""
        tokens = super().forward(wide(tokens_of(features)))
        return map_of(tokens, features.shape[2], features.shape[3]) if features.ndim == 4 else tokens
