"""The training state of classes that ranks share: whole in a checkpoint, so that any number of ranks resumes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn import utils

from modules.layers.margin_softmax import MarginSoftmax
from modules.layers.shared_classes import ClassSlice, summed


class ClassSlices:
    """The parameters of a module that have a slice of the classes, and their state in an optimizer.

    Args:
        module: whose ``state_dict`` is in checkpoints; may hold several copies of a loss, such as a moving average
        optimizer: of the parameters that are trained
    """

    def __init__(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._losses = losses_with_slices(module)
        self._optimizer = optimizer

    def __bool__(self) -> bool:
        return bool(self._losses)

    def join(self, states: dict[str, Tensor], moves: dict[str, Any]) -> None:
        """Replaces slices by whole tensors on rank 0, and by nothing useful on the others; all ranks must call it.

        Args:
            states: a ``state_dict`` of the module
            moves: one of the optimizer
        """
        for name, loss in self._losses.items():
            states[name] = _joined(states[name], loss)
        self._replace(moves, lambda loss, value: _joined(value, loss) if value.shape == loss.weight.shape else value)

    def divide(self, states: dict[str, Tensor], moves: dict[str, Any]) -> None:
        """Replaces whole tensors, as ``join`` makes them, by this rank's slices."""
        for name, loss in self._losses.items():
            states[name] = states[name][_rows(loss)]
        self._replace(moves, lambda loss, value: value[_rows(loss)] if len(value) == loss.classes * loss.centers else value)

    def clip(self, optimizer: torch.optim.Optimizer, largest: float) -> None:
        """Scales all gradients so that their total norm over the whole network, classes of other ranks included, is at most
        ``largest``; all ranks must call it. As ``torch.nn.utils.clip_grad_norm_`` in one process.
        """
        parameters = [one for group in optimizer.param_groups for one in group["params"] if one.grad is not None]
        own = {id(loss.weight) for loss in self._losses.values()}
        parts = _norm(one for one in parameters if id(one) in own)
        rest = _norm(one for one in parameters if id(one) not in own)
        total = (summed(parts.square()) + rest.square()).sqrt()
        utils.clip_grads_with_norm_(parameters, largest, total)

    def _replace(self, moves: dict[str, Any], change: Callable[[MarginSoftmax, Tensor], Tensor]) -> None:
        order = [id(parameter) for group in self._optimizer.param_groups for parameter in group["params"]]
        for loss in self._losses.values():
            if id(loss.weight) not in order:  # a moving average
                continue
            place = order.index(id(loss.weight))
            state = moves["state"].get(place, {})
            changed = {
                key: change(loss, state[key]) for key in sorted(state) if isinstance(state[key], Tensor) and state[key].ndim
            }
            moves["state"][place] = {**state, **changed}  # the old one is that of the optimizer itself


def losses_with_slices(module: nn.Module) -> dict[str, MarginSoftmax]:
    """The losses in ``module`` that share their classes with other ranks, by the name of their weight."""
    found = module.named_modules()
    return {f"{name}.weight": one for name, one in found if isinstance(one, MarginSoftmax) and one.part is not None}


def _norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    return utils.get_total_norm([one.grad for one in parameters if one.grad is not None])


def _part(loss: MarginSoftmax) -> ClassSlice:
    assert loss.part is not None
    return loss.part


def _rows(loss: MarginSoftmax, rank: int | None = None) -> slice:
    part = _part(loss)
    start, stop = part.bounds(part.rank if rank is None else rank)
    return slice(start * loss.centers, stop * loss.centers)


def _joined(own: Tensor, loss: MarginSoftmax) -> Tensor:
    """On rank 0 the slices of all ranks, on the CPU; ``own`` elsewhere. One slice at a time is on rank 0's device."""
    part = _part(loss)
    if part.rank > 0:
        distributed.send(own.contiguous(), 0)
        return own
    parts = [own.cpu()]
    for rank in range(1, part.world):
        rows = _rows(loss, rank)
        other = own.new_empty(rows.stop - rows.start, *own.shape[1:])
        distributed.recv(other, rank)
        parts.append(other.cpu())
    return torch.cat(parts)
