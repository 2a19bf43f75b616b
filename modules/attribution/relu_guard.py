"""Prepares ReLU networks for methods that change the backward pass of ReLU; refuses all other networks.

Libraries hook ``nn.ReLU`` modules and ignore other activations, so a SiLU network silently yields the plain gradient. Here
autograd's graph from image to score is checked first: it has every activation, whether a module or a function call.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from modules.attribution.checks import finite_scores
from modules.attribution.explainer import Refused
from modules.attribution.graph import between, title
from modules.attribution.hooks import hooked
from modules.attribution.targets import Target

_NAMES = {  # title in autograd's graph -> usual name, if it differs; custom functions have their own title
    "Silu": "SiLU",
    "Gelu": "GELU",
    "PreluKernel": "PReLU",
    "LeakyRelu": "LeakyReLU",
    "RreluWithNoise": "RReLU",
    "Elu": "ELU",
    "Glu": "GLU",
    "Hardtanh": "ReLU6 or Hardtanh",
    "Erf": "erf",
    "Exp": "exp",
    **dict.fromkeys(("Clamp", "ClampMin", "ClampMax"), "clamp"),
}
_OTHERS = {
    *_NAMES,
    *("Sigmoid", "Tanh", "Hardswish", "Hardsigmoid", "Mish", "Softplus", "LogSigmoid", "Threshold"),
    *("Softmax", "LogSoftmax", "Softshrink", "Hardshrink"),
}


class Turns(nn.Module):
    """Replaces a ReLU that runs ``count`` times per forward pass by one ReLU per run, each on a copy of its input.

    A hook on a ReLU then sees a single use of it and a tensor that nothing else reads, so it affects neither a shortcut around
    the ReLU nor an in-place operation.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(nn.ReLU() for _ in range(count))
        self.turn = 0

    def forward(self, features: Tensor) -> Tensor:
        if not features.requires_grad:
            return torch.relu(features)  # does not depend on the image; hooks on its gradient would fail
        relu = self.each[self.turn]
        self.turn = (self.turn + 1) % len(self.each)
        return relu(features.clone())


def relu_network(network: Any, image: Tensor, target: Target, method: str) -> Any:
    """A copy in which every ReLU between image and score is an ``nn.ReLU`` that runs once per forward pass.

    Args:
        network: in evaluation mode; is not changed
        image: (1, 3, H, W)
        target: of one row
        method: the explainer's name, for messages

    Raises:
        Refused: codes ``not_relu``: there is another activation between image and score (the message lists and counts them), or
            no ReLU at all; ``functional_relu``: a ReLU is a function call and cannot be hooked. Code ``not_finite``.
    """
    made = copy.deepcopy(network).requires_grad_(False)
    calls: dict[Node, nn.Module] = {}
    relus = {str(number): one for number, one in enumerate(made.modules()) if isinstance(one, nn.ReLU)}

    def seen(name: str, output: Tensor) -> None:
        if output.grad_fn is not None:
            calls[output.grad_fn] = relus[name]

    with torch.enable_grad(), hooked(relus, seen):
        leaf = image.detach().clone().requires_grad_()
        path = between(finite_scores(made, made.embed(leaf.clone()), target)[0], leaf)
    _check(path, calls, method)
    counts = Counter(calls.values())
    turns = {relu: Turns(counts[relu]) for relu in relus.values()}
    for parent in list(made.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, nn.ReLU):
                parent._modules[name] = turns[child]
    return made


def _check(path: dict[Node, Any], calls: dict[Node, nn.Module], method: str) -> None:
    found = [node for node in path if title(node) == "Relu"]
    others = Counter(_NAMES.get(title(node), title(node)) for node in path if title(node) in _OTHERS or _custom(node))
    if others:
        names = ", ".join(f"{count} {name}" for name, count in sorted(others.items(), key=lambda item: (-item[1], item[0])))
        raise Refused("not_relu", f"{method} is defined for ReLU networks; this one has {names} besides {len(found)} ReLU")
    if not found:
        raise Refused("not_relu", f"{method} changes what ReLU passes back, and this network has no ReLU")
    if hidden := sum(node not in calls for node in found):
        why = "function calls, not modules, and cannot be reached; make them nn.ReLU"
        raise Refused("functional_relu", f"{method}: {hidden} of {len(found)} ReLUs of this network are {why}")


def _custom(node: Node) -> bool:
    """Whether the node is an ``autograd.Function`` written in Python, which cannot be analyzed."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)
