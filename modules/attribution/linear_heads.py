"""Heads whose embedding is a sum over the locations of the feature map, and the contribution of each location.

For an affine head, e = sum over locations p of L_p a_p + b, the projection on a direction v is
e . v = sum over p of (L_p^T v) . a_p + b . v. The vectors L_p^T v are the gradient of e . v, which is the same for every map.
With global maximum pooling each channel contributes at the location of its maximum: the same sum with b = 0, but the locations
depend on the map.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from modules.attribution.explainer import Refused
from modules.heads.fc_bn import FcBn
from modules.heads.gap_bn import GapBn
from modules.heads.gdc import Gdc
from modules.heads.gmp import Gmp
from modules.heads.l2 import L2
from modules.heads.tokens import TokenHead
from modules.layers.pooling import pooled


class LinearHead:
    """A copy of a head in float64 and evaluation mode; for ``l2`` without the final normalization (a cosine ignores it).

    Raises:
        Refused: code ``not_linear_head``: the embedding is not a sum over locations.

    Attributes:
        selects: whether the head picks one location per channel, that of its maximum
    """

    def __init__(self, head: nn.Module) -> None:
        if type(head) not in (GapBn, FcBn, Gdc, Gmp, L2, TokenHead) or (isinstance(head, L2) and head.pool == "max"):
            raise Refused(
                "not_linear_head",
                f"head {type(head).__name__} is no sum over the cells of the feature map "
                "(those that are: gap_bn, fc_bn, gdc, gmp, tokens, l2 with pool average or flatten)",
            )
        self.selects = isinstance(head, Gmp)
        with torch.inference_mode(False):  # inference tensors could not be used for gradients
            copied: Any = copy.deepcopy(head).double().eval().requires_grad_(False)
        self.embed: Callable[[Tensor], Tensor] = copied
        if isinstance(head, L2):
            self.embed = lambda features: copied.linear(pooled(features, copied.pool))

    def values(self, features: Tensor) -> Tensor:
        """Maps (N, C, h, w) float64, zero at locations the head does not select; equal maxima share the weight evenly."""
        if not self.selects:
            return features
        top = features == features.amax(dim=(2, 3), keepdim=True)
        return torch.where(top, features / top.sum((2, 3), keepdim=True), 0)

    def pull(self, directions: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """Computes L^T v (M, C, h, w) for ``directions`` (M, D) and maps of ``shape``."""
        if self.selects:
            return directions[:, :, None, None].expand(-1, *shape)
        with torch.inference_mode(False), torch.enable_grad():
            start = directions.new_zeros(len(directions), *shape).requires_grad_()
            score = (self.embed(start) * directions.clone()).sum()
            (found,) = torch.autograd.grad(score, start)
        return found

    def bias(self, shape: tuple[int, int, int], like: Tensor) -> Tensor:
        """b (D,), the embedding of a map of zeros."""
        with torch.no_grad():
            return self.embed(like.new_zeros(1, *shape))[0]
