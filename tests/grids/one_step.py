"""One training step of a small network on the CPU."""

from __future__ import annotations

from typing import Any

import torch

from configs.lookup import resolve
from modules.network import Network

CLASSES = 3


def small(backbone: Any, head: Any, size: int) -> Network:
    """The network of these configs, with ArcFace and three classes, in training mode."""
    torch.manual_seed(0)
    parts: list[Any] = [resolve("backbone", backbone), resolve("head", head), resolve("loss", "arcface")]
    return Network(parts[0], parts[1], parts[2], CLASSES, size).train()


def untrained(network: Network, size: int) -> list[str]:
    """Takes one step of SGD on six images; names of the parameters that get no gradient. The loss changes and stays finite."""
    images = torch.rand(6, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        torch.manual_seed(2)  # of masks and dropout
        optimizer.zero_grad()
        losses.append(network.loss_of(images, torch.arange(6) % CLASSES))
        losses[-1].backward()
        assert all(bool(value.grad.isfinite().all()) for value in network.parameters() if value.grad is not None)
        found = [name for name, value in network.named_parameters() if value.grad is None or not bool((value.grad != 0).any())]
        optimizer.step()
    assert bool(torch.stack(losses).isfinite().all())
    assert losses[0].item() != losses[1].item()
    return found
