"""Heads whose embedding is a sum over the cells of the feature map, and what each cell gives to it.

Of an affine head, e = sum over cells p of L_p a_p + b, a direction v sees e . v = sum over p of (L_p^T v) . a_p + b . v. The
vectors L_p^T v are the gradient of e . v, which is the same for every map. After global maximum pooling each channel counts
where its maximum stands: the same sum, b = 0, but the cells depend on the map.
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
from modules.layers.pooling import pooled


class LinearHead:
    """A head in float64 and evaluation mode, as a copy; for ``l2`` without its last division, which no cosine sees.

    Raises:
        Refused: code ``not_linear_head``: the embedding is no sum over cells.

    Attributes:
        selects: whether the head picks one cell of each channel, by its maximum
    """

    def __init__(self, head: nn.Module) -> None:
        if type(head) not in (GapBn, FcBn, Gdc, Gmp, L2) or (isinstance(head, L2) and head.pool == "max"):
            raise Refused(
                "not_linear_head",
                f"head {type(head).__name__} is no sum over the cells of the feature map "
                "(those that are: gap_bn, fc_bn, gdc, gmp, l2 with pool average or flatten)",
            )
        self.selects = isinstance(head, Gmp)
        with torch.inference_mode(False):  # its numbers are needed for gradients
            copied: Any = copy.deepcopy(head).double().eval().requires_grad_(False)
        self.embed: Callable[[Tensor], Tensor] = copied
        if isinstance(head, L2):
            self.embed = lambda features: copied.linear(pooled(features, copied.pool))

    def values(self, features: Tensor) -> Tensor:
        """Maps (N, C, h, w) float64, with zeros where the head does not look; where maxima are equal they count evenly."""
        if not self.selects:
            return features
        top = features == features.amax(dim=(2, 3), keepdim=True)
        return torch.where(top, features / top.sum((2, 3), keepdim=True), 0)

    def pull(self, directions: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """L^T v (M, C, h, w) of ``directions`` (M, D), for maps of ``shape``."""
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
