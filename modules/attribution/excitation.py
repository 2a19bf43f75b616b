"""The rules of excitation backpropagation for single operations (Zhang et al., IJCV 126, 2018, Section 3.2).

Inside ``excitation()`` the forward pass is unchanged, and the backward pass carries probabilities instead of derivatives:

* Convolution, linear layer, average: a neuron's probability is divided among its inputs by response times weight, over positive
  weights (Equation 1). Biases and negative responses win nothing.
* Batch normalization after it is part of the layer, whose weights it multiplies: a channel with a negative factor passes its
  probability by the negative weights. Until the layer, such a probability is carried with a negative sign.
* Sum of two branches (a shortcut): divided by the positive parts of the terms. The paper has no such networks.
* Maximum: to the winner. ReLU, concatenation and changes of shape: as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from modules.attribution.explainer import Refused
from modules.attribution.graph import between, title

_SUMS = {torch.add: False, Tensor.add: False, Tensor.add_: True}  # whether it is in place; operators are these, too
_LAYERS = {torch.conv1d, torch.conv2d, functional.linear}
_AVERAGES = {functional.avg_pool2d, functional.adaptive_avg_pool2d}
_KNOWN = {"Relu", "MaxPool2DWithIndices", "Cat", "Clone", "Alias", "View", "UnsafeView", "ReshapeAlias", "Flatten"}
_KNOWN |= {"Squeeze", "Unsqueeze", "Permute", "Transpose", "ConstantPadNd"}


@contextlib.contextmanager
def excitation() -> Iterator[None]:
    """Backward passes through what is computed inside pass probabilities."""
    with _Rules():
        yield


def check_rules(score: Tensor, leaf: Tensor) -> None:
    """Raises Refused, code ``not_relu``, if an operation between ``leaf`` and ``score`` has no rule; lists them."""
    if score.grad_fn is None:
        return
    rules = tuple(rule._backward_cls for rule in (_Layer, _Sign, _Sum))  # type: ignore[attr-defined]
    path = (node for node in between(score.sum(), leaf) if not isinstance(node, rules))
    if odd := {title(node) for node in path} - _KNOWN - {"Sum"}:
        names = ", ".join(sorted(odd))
        raise Refused("not_relu", f"excitation backpropagation has no rule for {names}; it is defined for networks of ReLU")


class _Rules(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _LAYERS:
            names = ("input", "weight", "bias")
            given = dict(zip(names, args[:3], strict=False)) | {name: kwargs[name] for name in names if name in kwargs}
            more = args[3:]
            rest = {name: value for name, value in kwargs.items() if name not in names}
            weight = given["weight"]

            def part(responses: Tensor, sign: int) -> Tensor:
                return func(responses, (sign * weight).clamp(min=0), None, *more, **rest)

            return _Layer.apply(given["input"], func(*args, **kwargs).detach(), part)
        if func in _AVERAGES:

            def mean(responses: Tensor, sign: int) -> Tensor:
                found = func(responses, *args[1:], **{name: value for name, value in kwargs.items() if name != "input"})
                return found if sign > 0 else torch.zeros_like(found)

            return _Layer.apply(args[0] if args else kwargs["input"], func(*args, **kwargs).detach(), mean)
        if func is functional.batch_norm:
            given = dict(zip(("input", "running_mean", "running_var", "weight"), args, strict=False)) | kwargs
            images, factor = given["input"], given.get("weight")
            signs = None if factor is None else factor.detach().sign().view(1, -1, *(1 for _ in images.shape[2:]))
            return _Sign.apply(images, func(*args, **kwargs).detach(), signs)
        if func in _SUMS and _two_of_a_shape(args) and not kwargs:
            return _Sum.apply(*args, _SUMS[func])
        return func(*args, **kwargs)


def _two_of_a_shape(args: Sequence[Any]) -> bool:
    return len(args) == 2 and all(isinstance(one, Tensor) for one in args) and args[0].shape == args[1].shape


class _Layer(torch.autograd.Function):
    """``output``; ``part(responses, sign)`` is that of the positive part of sign * weights, without biases."""

    @staticmethod
    def forward(ctx: Any, responses: Tensor, output: Tensor, part: Callable[[Tensor, int], Tensor]) -> Tensor:
        ctx.save_for_backward(responses)
        ctx.part = part
        return output.clone()

    @staticmethod
    def backward(ctx: Any, probability: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        responses = ctx.saved_tensors[0].clamp(min=0)
        passed = torch.zeros_like(responses)
        for sign in (1, -1):
            mine = (sign * probability).clamp(min=0)
            if not mine.any():
                continue
            with torch.enable_grad():
                leaf = responses.detach().requires_grad_()
                total = ctx.part(leaf, sign)
            if total.requires_grad:
                shares = torch.where(total > 0, mine / total, 0)
                passed = passed + responses * torch.autograd.grad(total, leaf, shares)[0]
        return passed, None, None


class _Sign(torch.autograd.Function):
    """``output``; multiplies a channel's probability by the sign of its factor."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, output: Tensor, signs: Tensor | None) -> Tensor:
        ctx.signs = signs
        return output.clone()

    @staticmethod
    def backward(ctx: Any, probability: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return probability if ctx.signs is None else probability * ctx.signs, None, None


class _Sum(torch.autograd.Function):
    """one + other: each gets its share of the positive parts; of a negative probability, of the negative parts."""

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor, in_place: bool) -> Tensor:
        ctx.save_for_backward(one.clone() if in_place else one, other)
        if not in_place:
            return one + other
        ctx.mark_dirty(one)
        return one.add_(other)

    @staticmethod
    def backward(ctx: Any, probability: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        turned = torch.where(probability < 0, -1, 1)
        parts = [(turned * term).clamp(min=0) for term in ctx.saved_tensors]
        total = parts[0] + parts[1]
        shares = torch.where(total > 0, probability / total, 0)
        return shares * parts[0], shares * parts[1], None
