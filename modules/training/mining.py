"""Triplet mining in a batch, and the loss with its gradient, without enumerating triplets.

The hinge max(0, d_ap + margin - d_an) is linear in the distances where it is not zero. Given the number of active triplets that
each distance occurs in (``counts``: positive for d_ap, negative for d_an), the loss is sum(counts * d) + margin * active, and
its gradient with respect to d is ``counts``. A rule computes the counts for a block of anchors, from sorted distances and
prefix sums of integers: O(B^2 log B) time for all O(B^3) triplets, in blocks of bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from modules.training.determinism import any_order

_BLOCK = 64  # anchors per block on a CPU: their distances fit into its cache
_BLOCK_BYTES = 512 << 20  # of a block on a GPU, which wants few and large operations; constant, since it changes last digits
_BYTES = 80  # per anchor and candidate: distances, and several int64 intermediate results


@dataclass(frozen=True)
class Anchors:
    """R anchors and C candidates; an anchor has at most K positives.

    Fields:
        distances: (R, C)
        different: bool (R, C), True for candidates of other identities
        positives: int64 (R, K), candidates of the anchor's identity where ``real``; arbitrary elsewhere
        real: bool (R, K), False for padding
        near: (R, K), distances of the positives; infinite where not ``real``
    """

    distances: Tensor
    different: Tensor
    positives: Tensor
    real: Tensor
    near: Tensor


Rule = Callable[[Anchors, float], tuple[Tensor, Tensor]]
"""(anchors, margin) to counts, int64 (R, C), and how many triplets are valid, int64 scalar."""


def triplet_loss(
    points: Tensor,
    labels: Tensor,
    margin: float,
    rule: Rule,
    over: str = "valid",
    bank: tuple[Tensor, Tensor] | None = None,
    most: int | None = None,
) -> Tensor:
    """Mean hinge of the triplets selected by ``rule``; zero, with zero gradient, if it selects none.

    Args:
        points: (B, D) on the unit sphere; distances are squared and Euclidean, 2 - 2 cos
        labels: int64 (B,)
        over: "valid" averages over the triplets that the rule counts as valid, "active" over those whose hinge is above zero
        bank: additional candidates, (M, D) and int64 (M,), treated as constants; entries with a negative label are ignored
        most: images of an identity among labels and bank, at most, if ``check`` accepted the labels on the host; None: both are
            found out here, for which the host waits for the device

    Raises:
        ValueError: the batch has no two images of the same identity, or only one identity.
    """
    if most is None:
        check(labels)
    with torch.no_grad():
        value, gradient = _mine(points.detach(), labels, margin, rule, over, bank, most)
    return _Known.apply(points, value, gradient)  # type: ignore[no-untyped-call]


def check(labels: Tensor) -> int:
    """The largest number of images of an identity in a batch.

    Raises:
        ValueError: no triplet can be formed from it; the message gives the reason and a remedy.
    """
    names, counts = np.unique(labels.cpu().numpy(), return_counts=True)
    if len(names) and names[0] < 0:
        raise ValueError(f"a triplet loss compares known identities, and a label is {names[0]}; leave such images out")
    identities = len(counts)
    what = f"this batch of {len(labels)} images has {identities} identities"
    if identities == len(labels):
        raise ValueError(f"a triplet loss needs two images of an identity in every batch; {what}; use the pk sampler")
    if identities < 2:
        raise ValueError(f"a triplet loss needs two identities in every batch; {what.replace('identities', 'identity')}")
    return int(counts.max())


def block_size(device: str, candidates: int) -> int:
    """Anchors that are mined at once, on a device of that type ("cpu", "cuda"), given the number of candidates."""
    return _BLOCK if device == "cpu" else max(_BLOCK, _BLOCK_BYTES // (_BYTES * candidates))


class _Known(torch.autograd.Function):
    """A scalar whose gradient is already known."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer * gradient, None, None


def _mine(
    points: Tensor, labels: Tensor, margin: float, rule: Rule, over: str, bank: tuple[Tensor, Tensor] | None, most: int | None
) -> tuple[Tensor, Tensor]:
    candidates, names = (points, labels) if bank is None else (torch.cat([points, bank[0]]), torch.cat([labels, bank[1]]))
    order = names.argsort(stable=True)
    ordered = names[order]
    first = torch.searchsorted(ordered, labels)
    size = torch.searchsorted(ordered, labels, right=True) - first
    slots = torch.arange(int(size.max()) if most is None else most, device=labels.device)
    numbers = torch.arange(len(points), device=labels.device)
    gradient = torch.zeros_like(points)
    value = points.new_zeros((), dtype=torch.float64)
    active = valid = torch.zeros((), dtype=torch.int64, device=labels.device)
    block = block_size(points.device.type, len(names))
    for start in range(0, len(points), block):
        rows = slice(start, start + block)
        positives = order[(first[rows, None] + slots).clamp_max_(len(names) - 1)]
        real = (slots < size[rows, None]) & (positives != numbers[rows, None])
        distances = (points[rows] @ candidates.T).mul_(-2).add_(2)
        near = distances.gather(1, positives).masked_fill_(~real, torch.inf)
        different = (names != labels[rows, None]) & (names >= 0)
        counts, some = rule(Anchors(distances, different, positives, real, near), margin)
        valid = valid + some
        active = active + counts.clamp_min(0).sum()
        weights = counts.to(points.dtype)
        value += distances.mul_(weights).sum(dtype=torch.float64)
        gradient[rows] -= 2 * (weights @ candidates)
        gradient -= 2 * (weights[:, : len(points)].T @ points[rows])
    total = (valid if over == "valid" else active).clamp_min(1)
    return ((value + margin * active.double()) / total).to(points.dtype), gradient.div_(total)


def every(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """All anchors, positives and negatives."""
    upto = anchors.real.sum(1, keepdim=True).expand_as(anchors.distances)
    counts, _ = _ranges(anchors, margin, upto)
    return counts, (anchors.real.sum(1) * anchors.different.sum(1)).sum()


def semi_hard(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """All triplets with d_ap < d_an < d_ap + margin (Schroff et al., CVPR 2015, Section 3.2)."""
    return _ranges(anchors, margin, None)


def _ranges(anchors: Anchors, margin: float, upto: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each negative pairs with a range of the anchor's sorted positives: those with d_an - margin < d_ap, up to ``upto``."""
    near, at = anchors.near.sort(1)
    if upto is None:
        upto = torch.searchsorted(near, anchors.distances)  # d_ap < d_an
    since = torch.searchsorted(near + margin, anchors.distances, right=True)
    met = (upto - since).clamp_min_(0).mul_(anchors.different)
    # Number of negatives per positive: +1 from each range's begin on, -1 from its end on.
    one = met.sign()
    steps = _add(_add(met.new_zeros(len(near), near.shape[1] + 1), since, one), upto, -one)
    triplets = met.sum()
    return _add(met.neg_(), anchors.positives.gather(1, at), steps.cumsum(1)[:, :-1]), triplets


def _add(counts: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """Adds int64 values (R, K) to counts (R, C) at places (R, K), in place."""
    with any_order():
        return counts.scatter_add_(1, places, values)


def semi_hard_hardest(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """For each anchor and positive the semi-hard negative with the smallest d_an."""
    return _one_negative(anchors, margin, lambda many: torch.zeros_like(many))


def semi_hard_random(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """For each anchor and positive one random semi-hard negative, drawn from torch's default CPU generator."""
    return _one_negative(anchors, margin, lambda many: (_drawn(many) * many).long())


def _drawn(like: Tensor) -> Tensor:
    """Uniform random numbers float64 from the CPU's generator, so that every device gets the same ones."""
    on_gpu = like.is_cuda
    return torch.rand(like.shape, dtype=torch.float64, pin_memory=on_gpu).to(like.device, non_blocking=on_gpu)


def _one_negative(anchors: Anchors, margin: float, choose: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    far, at = anchors.distances.masked_fill(~anchors.different, torch.inf).sort(1)
    first = torch.searchsorted(far, anchors.near, right=True)
    many = torch.searchsorted(far, anchors.near + margin) - first
    chosen = (first + choose(many.clamp_min(0))).clamp_max_(far.shape[1] - 1)
    some = anchors.real & (many > 0)
    return _pairs(anchors, some, at.gather(1, chosen)), some.sum()


def hard_negative(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """All anchors and positives, each with the anchor's nearest negative."""
    far, at = anchors.distances.masked_fill(~anchors.different, torch.inf).min(1, keepdim=True)
    valid = anchors.real & far.isfinite()
    return _pairs(anchors, valid & (anchors.near + margin > far), at.expand_as(valid)), valid.sum()


def batch_hard(anchors: Anchors, margin: float) -> tuple[Tensor, Tensor]:
    """Each anchor with its farthest positive and its nearest negative (Hermans et al., 2017, Eq. 5)."""
    farthest = anchors.near.masked_fill(~anchors.real, -torch.inf).argmax(1, keepdim=True)
    only = torch.zeros_like(anchors.real).scatter_(1, farthest, True) & anchors.real
    return hard_negative(Anchors(anchors.distances, anchors.different, anchors.positives, only, anchors.near), margin)


def _pairs(anchors: Anchors, active: Tensor, negatives: Tensor) -> Tensor:
    """Counts of the triplets (anchor, positives[r, k], negatives[r, k]) where ``active``, each (R, K)."""
    ones = active.long()
    counts = torch.zeros(anchors.distances.shape, dtype=torch.int64, device=ones.device)
    return _add(_add(counts, anchors.positives, ones), negatives, -ones)
