"""Partial FC: samples classes per step, with optimizer steps that leave the other classes' rows unchanged.

An et al., "Killing Two Birds with One Stone", CVPR 2022: the classes of the batch are always included, others are sampled up to
a fraction of all classes. The gradient of a row that was not sampled is zero, but momentum, weight decay and Adam's averages
would still change it. So during a step the optimizer only sees the sampled rows of weights, gradient and its state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def sampled_classes(labels: Tensor, classes: int, share: float, generator: torch.Generator | None = None) -> Tensor:
    """The classes of a step, ascending, int64: all in ``labels``, and random others up to ``share`` of ``classes``.

    Their number depends on shapes only, so nothing waits for the GPU: ``share`` of the classes, rounded up, or as many as
    there are labels (at most ``classes``) if that is more. Draws ``classes`` numbers from the generator, by default that of the
    labels' device.
    """
    order = torch.rand(classes, device=labels.device, generator=generator)
    order.scatter_(0, labels, 2.0)  # above all random numbers; unlike index_fill_, it takes no label -1
    count = max(math.ceil(share * classes - 1e-9), min(len(labels), classes))  # 0.07 * 100 is above 7
    return order.topk(count, sorted=False).indices.sort().values


class RowKeeper:
    """Makes every step of ``optimizer`` skip the rows of ``parameter`` that did not contribute to its gradient.

    Such rows and their optimizer state are bitwise unchanged. Counters shared by the whole parameter (Adam's ``step``) still
    increase, so a row's averages are bias-corrected as if it had been included since the first step. Between steps the
    optimizer's state has its usual shapes, so checkpoints are not affected.
    """

    def __init__(self, parameter: nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
        self.parameter = parameter
        self._rows: list[Tensor] = []  # of each forward pass that contributes to the current gradient
        self._accumulated = False
        self._full: tuple[Tensor, Tensor, dict[str, Tensor], Tensor] | None = None
        parameter.register_post_accumulate_grad_hook(self._note_gradient)
        optimizer.register_step_pre_hook(self._before)
        optimizer.register_step_post_hook(self._after)

    def gather(self, rows: Tensor) -> Tensor:
        """Returns ``parameter[rows]`` and records ``rows`` when its gradient arrives; ``rows`` must be unique."""
        found = _Rows.apply(self.parameter, rows)  # type: ignore[no-untyped-call]
        if found.requires_grad:
            found.register_hook(lambda _: self._note_rows(rows))
        return found

    def _note_rows(self, rows: Tensor) -> None:
        if self._accumulated and self.parameter.grad is None:  # gradient was dropped without a step (fp16 overflow)
            self._rows.clear()
        self._accumulated = False
        self._rows.append(rows)

    def _note_gradient(self, _: Tensor) -> None:
        self._accumulated = True

    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
        found = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if found is None:
            self._narrow(optimizer)
            return None
        closure: Callable[[], Any] = found

        def then_narrow() -> Any:  # Lightning computes the gradient within the step
            value = closure()
            self._narrow(optimizer)
            return value

        return args[:1], {**kwargs, "closure": then_narrow}

    def _narrow(self, optimizer: torch.optim.Optimizer) -> None:
        gradient = self.parameter.grad
        if gradient is None or not self._rows:
            return
        rows = torch.cat(self._rows)  # of several passes with repetitions: equal rows take equal steps
        weights, state = self.parameter.data, optimizer.state.get(self.parameter, {})
        kept = {key: value for key, value in state.items() if isinstance(value, Tensor) and value.shape == weights.shape}
        self._full = (weights, gradient, kept, rows)
        self._show(weights[rows], gradient[rows])
        state.update({key: value[rows] for key, value in kept.items()})

    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if self._full is None:
            return
        weights, gradient, kept, rows = self._full
        moved = self.parameter.data
        state = optimizer.state.get(self.parameter, {})
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == moved.shape:  # the first step creates the state
                full = kept[key] if key in kept else torch.zeros_like(weights, dtype=value.dtype)
                state[key] = full.index_copy_(0, rows, value)
        self._show(weights.index_copy_(0, rows, moved), gradient)
        self._full = None
        self._rows.clear()

    def _show(self, weights: Tensor, gradient: Tensor) -> None:
        self.parameter.grad = None  # torch rejects a gradient of another shape
        self.parameter.data = weights
        self.parameter.grad = gradient


class _Rows(torch.autograd.Function):
    """``parameter[rows]``; as rows are unique, the gradient is copied to its place instead of being added up."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.shape = parameter.shape
        return parameter.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.shape).index_copy_(0, rows, gradient), None
