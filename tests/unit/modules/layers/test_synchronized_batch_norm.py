"""Ranks with unequal parts of a batch normalize as one process does: values, gradients and running statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import together
from torch import nn

from modules.layers.synchronized_batch_norm import synchronize

PROGRAM = """
import torch
from torch import nn
from timm.layers import BatchNormAct2d
from modules.layers.synchronized_batch_norm import synchronize

LAYERS = [
    (lambda: nn.BatchNorm2d(3), (4, 5)),
    (lambda: nn.BatchNorm1d(3), ()),
    (lambda: nn.BatchNorm1d(3, affine=False), (6,)),
    (lambda: nn.BatchNorm2d(3, momentum=None), (2, 2)),
    (lambda: nn.BatchNorm2d(3, track_running_stats=False), (2, 2)),
    (lambda: BatchNormAct2d(3), (2, 2)),
]
number, world = (rank.number, rank.world) if rank else (0, 1)

def one(make, shape):
    torch.manual_seed(1)
    layer = make()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    network = nn.Sequential(layer)
    if rank:
        synchronize(network)
    found = []
    for step in range(2):
        draw = torch.Generator().manual_seed(step)
        images = 50 + 3 * torch.randn(7, 3, *shape, generator=draw)  # a mean far from zero: squares would cancel
        slopes = torch.randn(7, 3, *shape, generator=draw)
        own = images[number::world].clone().requires_grad_()
        values = network(own)
        network.zero_grad()
        (values * slopes[number::world]).sum().backward()
        gradients = [parameter.grad.clone() for parameter in layer.parameters()]
        for gradient in gradients if rank else ():
            torch.distributed.all_reduce(gradient)
        found.append((values.detach(), own.grad, gradients))
    network.eval()
    if number == 0:  # ranks do not meet in evaluation mode
        found.append((network(images).detach(), None, []))
    return found, {key: value.clone() for key, value in network.state_dict().items()}

result = [one(*layer) for layer in LAYERS]
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_normalize_as_one_process_does(tmp_path: Path, world: int) -> None:
    names: dict[str, Any] = {"rank": None}
    exec(compile(PROGRAM, "<program>", "exec"), names)
    for number, found in enumerate(together(tmp_path, world, PROGRAM)):
        for (steps, state), (others, other) in zip(names["result"], found, strict=True):
            for (values, slopes, weights), (own, own_slopes, own_weights) in zip(steps, others, strict=False):
                part = slice(None) if slopes is None else slice(number, None, world)
                torch.testing.assert_close(own, values[part], rtol=1e-5, atol=1e-5)
                if slopes is not None:
                    torch.testing.assert_close(own_slopes, slopes[part], rtol=1e-5, atol=1e-5)
                for one, same in zip(weights, own_weights, strict=True):
                    torch.testing.assert_close(same, one, rtol=1e-5, atol=1e-4)
            assert state.keys() == other.keys()
            for key, value in state.items():
                torch.testing.assert_close(other[key], value, rtol=1e-5, atol=1e-5)


class Own(nn.BatchNorm2d):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) * 2


def test_a_layer_with_a_computation_of_its_own_is_named() -> None:
    with pytest.raises(ValueError, match=r"layer 1 is a .*Own with another computation; leave compute.batch_norm out"):
        synchronize(nn.Sequential(nn.Conv2d(3, 4, 1), Own(4)))
