"""The batch of a training on several devices: each rank gets the rows of all, with their gradient.

Every rank computes the loss of the whole batch from all embeddings, so losses that compare images, count classes or keep state
give what one process gives. Rank r of ``world`` has images r, r + world, ... of the batch (``datamodules.sharing``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.autograd.function import once_differentiable

_images: ContextVar[int | None] = ContextVar("images", default=None)


def world_size() -> int:
    """The number of ranks; 1 outside a training on several devices."""
    found = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if found else 1


@contextlib.contextmanager
def batch_of(images: int) -> Iterator[None]:
    """Context manager: the batch has that many images on all ranks together.

    Without it ``gathered`` asks the other ranks, and the host waits for the device.
    """
    token = _images.set(images)
    try:
        yield
    finally:
        _images.reset(token)


def gathered(rows: Tensor) -> Tensor:
    """The rows (N, ...) of all ranks in the order of the batch, (batch, ...). On one device, ``rows`` itself.

    The gradient assumes that every rank computes the same scalar from the result, and that gradients of weights are averaged
    over ranks: a row's gradient is multiplied by the number of ranks, so that the average is the gradient of that scalar.
    """
    if world_size() == 1:
        return rows
    images = _images.get()
    return _Gathered.apply(rows, _counted(rows) if images is None else images)  # type: ignore[no-any-return,no-untyped-call]


def gathered_batches(batches: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The rows (M, D) and labels (M,) of several batches of all ranks, from this rank's rows (N, D) and labels (N,) of each.

    Ranks have a batch at least, which may be empty.
    """
    rows, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return gathered(rows), gathered(labels)


def mean_of_batch(mean: Tensor, images: int) -> Tensor:
    """The mean over the images of all ranks, from the mean over this rank's ``images``; scalars, with gradient."""
    return mean if world_size() == 1 else gathered(mean.expand(images)).mean()


def _counted(rows: Tensor) -> int:
    """How many rows all ranks have together."""
    own = torch.tensor(len(rows), device=rows.device)
    counts = [torch.empty_like(own) for _ in range(world_size())]
    torch.distributed.all_gather(counts, own)  # not summed: ``modules.training.ranks.one_of`` has no sums
    return int(torch.stack(counts).sum())


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, total: int) -> Tensor:
        ctx.rank, ctx.world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        assert len(rows) == len(range(ctx.rank, total, ctx.world)), (ctx.rank, ctx.world, len(rows), total)
        padded = rows.new_zeros(-(-total // ctx.world), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(ctx.world)]
        torch.distributed.all_gather(parts, padded)
        return torch.stack(parts, 1).flatten(0, 1)[:total]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient[ctx.rank :: ctx.world] * ctx.world, None
