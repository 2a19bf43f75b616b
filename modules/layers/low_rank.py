"""Linear layers of low rank (George et al., "EdgeFace", IEEE T-BIOM 2024, arXiv 2307.01838, Section III-B).

W (out x in) becomes a product of two matrices of rank r = max(2, floor(ratio min(in, out))): the first layer has no bias, the
second one has that of the original layer, if any.
"""

from __future__ import annotations

from torch import Tensor, nn


class LowRank(nn.Module):
    """Two linear layers in place of one."""

    def __init__(self, before: int, after: int, ratio: float, bias: bool = True) -> None:
        super().__init__()
        rank = max(2, int(min(before, after) * ratio))
        self.linear1 = nn.Linear(before, rank, bias=False)
        self.linear2 = nn.Linear(rank, after, bias=bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., before) to (..., after)."""
        return self.linear2(self.linear1(vectors))


def lowered(module: nn.Module, ratio: float) -> nn.Module:
    """Replaces every linear layer inside the module, with new random weights, and returns the module."""
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            setattr(module, name, LowRank(child.in_features, child.out_features, ratio, child.bias is not None))
        else:
            lowered(child, ratio)
    return module
