"""The batch of a training on several devices: each rank gets the rows of all, with their gradient.

Every rank computes the loss of the whole batch from all embeddings, so losses that compare images, count classes or keep state
give what one process gives. Rank r of ``world`` has images r, r + world, ... of the batch (``datamodules.sharing``).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.autograd.function import once_differentiable


def world_size() -> int:
    """The number of ranks; 1 outside a training on several devices."""
    found = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if found else 1


def gathered(rows: Tensor) -> Tensor:
    """The rows (N, ...) of all ranks in the order of the batch, (batch, ...). On one device, ``rows`` itself.

    The gradient assumes that every rank computes the same scalar from the result, and that gradients of weights are averaged
    over ranks: a row's gradient is multiplied by the number of ranks, so that the average is the gradient of that scalar.
    """
    return rows if world_size() == 1 else _Gathered.apply(rows)  # type: ignore[no-any-return,no-untyped-call]


def mean_of_batch(mean: Tensor, images: int) -> Tensor:
    """The mean over the images of all ranks, from the mean over this rank's ``images``; scalars, with gradient."""
    return mean if world_size() == 1 else gathered(mean.expand(images)).mean()


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rank, ctx.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        own = torch.tensor(len(rows), device=rows.device)
        counts = [torch.empty_like(own) for _ in range(ctx.world)]
        torch.distributed.all_gather(counts, own)  # not summed: ``modules.training.ranks.one_of`` has no sums
        total = int(torch.stack(counts).sum())
        assert len(rows) == len(range(ctx.rank, total, ctx.world)), (ctx.rank, ctx.world, len(rows), total)
        padded = rows.new_zeros(-(-total // ctx.world), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(ctx.world)]
        torch.distributed.all_gather(parts, padded)
        return torch.stack(parts, 1).flatten(0, 1)[:total]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient[ctx.rank :: ctx.world] * ctx.world
