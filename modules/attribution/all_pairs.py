"""Stylianou maps of all pairs of two lists of images from one forward pass per image: 100 x 100 pairs need 200 forward passes.

Feature maps are cached; each pair then needs only a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from configs.float32_precision import without_tf32
from modules.attribution.batch_size import batch_size
from modules.attribution.hooks import evaluating
from modules.attribution.linear_heads import LinearHead
from modules.attribution.pair_utilities import check_embeddings
from modules.shape_inference import Shape, shape_of

_BLOCK = 1 << 24  # numbers in memory at a time


@dataclass(frozen=True)
class Cached:
    """Cached features and embeddings of N images.

    Attributes:
        features: (N, C, h, w), in the network's dtype
        embeddings: (N, D) float64
    """

    features: Tensor
    embeddings: Tensor

    @property
    def shape(self) -> Shape:
        return shape_of(self.features)


@without_tf32()
def cache(network: Any, images: Tensor) -> Cached:
    """Embeds images (N, 3, H, W), on a CPU one by one; raises as ``modules.attribution.pair_utilities.embed_many``."""
    batch = batch_size(1, images, len(images))
    with torch.no_grad(), evaluating(network):
        features = torch.cat([network.features(some) for some in images.split(batch)])
        embeddings = torch.cat([network.head(some) for some in features.split(batch)]).double()
    check_embeddings(embeddings)
    return Cached(features, embeddings)


def stylianou(head: LinearHead, left: Cached, right: Cached) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (maps (N, M, h, w), bias (N, M), cosines (N, M)), float64: maps of the left image of each pair.

    With e = sum over p of L_p a_p + b, map_p = (L_p a_p) . e' / (|e| |e'|) and bias = b . e' / (|e| |e'|) sum to the cosine.
    Swap ``left`` and ``right`` for the maps of the right images.
    """
    with torch.no_grad():
        ours, theirs = (head.embed(one.features.double()) for one in (left, right))
        check_embeddings(torch.cat([ours, theirs]))
        ours_length, theirs_length = ours.norm(dim=1), theirs.norm(dim=1)
        directions = theirs / theirs_length[:, None]
        channels, height, width = left.shape
        values = head.values(left.features.double())
        cells = (values / ours_length[:, None, None, None]).flatten(2).permute(2, 0, 1).contiguous()  # (h w, N, C)
        maps = cells.new_empty(len(ours), len(theirs), height * width)
        rows = max(1, _BLOCK // (channels * height * width))
        for start in range(0, len(theirs), rows):
            pulled = head.pull(directions[start : start + rows], left.shape).flatten(2)
            maps[:, start : start + rows] = torch.bmm(cells, pulled.permute(2, 1, 0)).permute(1, 2, 0)
        bias = (directions @ head.bias(left.shape, values))[None] / ours_length[:, None]
        cosines = (ours / ours_length[:, None]) @ directions.T
    return maps.view(len(ours), len(theirs), height, width), bias, cosines
