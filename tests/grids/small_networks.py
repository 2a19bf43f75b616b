"""Small networks in double precision for explainers, and a peer of the methods that change ReLUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from small_classifier import Loss
from torch import Tensor, nn

from modules.attribution.graph import between, title


class Smooth(nn.Module):
    """Logits (N, 5) of images (N, 3, 6, 6), with tanh; ``seen`` is the number of images of each pass."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 5)).double()
        self.loss = Loss()
        self.seen: list[int] = []

    def embed(self, images: Tensor) -> Tensor:
        self.seen.append(len(images))
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.embed(images)


class Reused(nn.Module):
    """What libraries stumble over: one ReLU used three times, after a shortcut has been taken from its input."""

    def __init__(self, act: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5)
        self.act = act or nn.ReLU()
        self.inplace = self.act.inplace
        self.loss = Loss()
        self.double()

    def embed(self, images: Tensor) -> Tensor:
        found = self.one(images)
        rest = self.two(self.act(found.clone() if self.inplace else found))
        return self.three(self.act(self.act(rest) + found).mean((2, 3)))


def through_relus(network: Any, image: Tensor, target: Any, rule: Callable[[Tensor, Tensor], Tensor]) -> np.ndarray:
    """The map where ReLUs pass back ``rule(given, got)``: it is put on the nodes of autograd's graph, in the network itself."""
    leaf = image[None].clone().requires_grad_()
    score = target.scores(network, network.embed(leaf.clone()))[0]
    for node in between(score, leaf):
        if title(node) == "Relu":
            node.register_hook(lambda given, got: (rule(given[0], got[0]),))
    (found,) = torch.autograd.grad(score, leaf)
    return found[0].abs().amax(0).detach().numpy()
