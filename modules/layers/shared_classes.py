"""Class weights divided between the ranks of a training: each rank has a slice of the classes.

As in the distributed softmax of An et al., "Partial FC: Training 10 Million Identities on a Single Machine" (ICCV workshops
2021): every rank has the embeddings of the whole batch and the logits of its own classes; only each image's maximum and sum of
exponentials cross ranks, so no rank has the logits of all classes.

Every rank computes the same scalar loss. A tensor is either *shared* (equal on all ranks, and so is the gradient of the loss
with respect to it) or a rank's own. ``summed`` turns own tensors into a shared one. ``for_own_classes`` marks a shared tensor
that each rank uses with its own classes, so that its gradient is the sum over ranks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class ClassSlice:
    """The classes ``start`` to ``stop`` of ``classes``, which are those of ``rank``. Sizes differ by one at most.

    Raises:
        ValueError: there are fewer classes than ranks.
    """

    classes: int
    rank: int
    world: int

    def __post_init__(self) -> None:
        assert 0 <= self.rank < self.world, self
        if self.classes < self.world:
            raise ValueError(
                f"compute.classes: shared: {self.classes} training identities cannot be divided between {self.world} devices; "
                "lower compute.devices, or leave compute.classes out"
            )

    @property
    def start(self) -> int:
        return self.bounds(self.rank)[0]

    @property
    def stop(self) -> int:
        return self.bounds(self.rank)[1]

    def bounds(self, rank: int) -> tuple[int, int]:
        """Start and stop of the classes of ``rank``."""
        return self.classes * rank // self.world, self.classes * (rank + 1) // self.world

    def own(self, classes: Tensor) -> Tensor:
        """Those of the ascending ``classes``, int64 (n,), that belong to this rank, counted from its first one.

        On a GPU this waits for their number; see ``MarginSoftmax.draw``.
        """
        return classes[(classes >= self.start) & (classes < self.stop)] - self.start


def summed(own: Tensor) -> Tensor:
    """The sum of all ranks' tensors, with gradient; the result is shared."""
    return _Summed.apply(own)  # type: ignore[no-any-return,no-untyped-call]


def for_own_classes(shared: Tensor) -> Tensor:
    """``shared`` itself, for computations with this rank's classes: the gradient that they give is summed over ranks."""
    return _SummedGradient.apply(shared)  # type: ignore[no-any-return,no-untyped-call]


@torch.no_grad()
def largest(own: Tensor) -> Tensor:
    """The elementwise maximum of all ranks' tensors, without gradient."""
    found = own.detach().clone()
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found


def at_label(own: Tensor, places: Tensor, held: Tensor) -> Tensor:
    """The column of each row's label, from columns that are divided between ranks; shared (N, 1).

    Args:
        own: (N, columns of this rank)
        places: int64 (N,), the label's column where this rank has it, else any
        held: bool (N,), whether this rank has it
    """
    if not own.shape[1]:
        return summed(own.sum(1, keepdim=True))
    return summed(torch.where(held[:, None], own.gather(1, places[:, None]), 0))


def cross_entropy(others: Tensor, target: Tensor, places: Tensor, held: Tensor) -> Tensor:
    """The cross-entropy of each row, shared (N, 1), in nats.

    Args:
        others: the logits (N, columns of this rank); that of the label's column is not used
        target: the label's logit, shared (N, 1)
        places, held: as in ``at_label``
    """
    if others.shape[1]:
        labels = torch.zeros_like(others, dtype=torch.bool).scatter_(1, places[:, None], held[:, None])
        others = others.masked_fill(labels, -torch.inf)
        top = torch.maximum(others.detach().amax(1, keepdim=True), target.detach())
    else:
        top = target.detach()
    top = largest(top)
    relative = target - top
    return (summed((others - top).exp().sum(1, keepdim=True)) + relative.exp()).log() - relative


@torch.no_grad()
def highest(own: Tensor, part: ClassSlice) -> Tensor:
    """The class with the largest logit of each row, int64 (N,), from logits that are divided between ranks; shared.

    Args:
        own: the logits (N, classes of this rank)
    """
    values, classes = own.max(1)
    found = [torch.empty_like(values) for _ in range(part.world)], [torch.empty_like(classes) for _ in range(part.world)]
    distributed.all_gather(found[0], values.contiguous())
    distributed.all_gather(found[1], classes.contiguous() + part.start)
    winners = torch.stack(found[0]).argmax(0, keepdim=True)
    return torch.stack(found[1]).gather(0, winners)[0]


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.contiguous().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class _SummedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shared: Tensor) -> Tensor:
        return shared.view_as(shared)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total
