"""Every head and decoder: values and gradients on the device, against the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from on_device import GRADIENTS, VALUES, agree, gradient, without_chance

from configs.lookup import known, resolve

CHANNELS, SIDE = 24, 6
HEADS = {name: {"name": name, "dimension": 16} for name in known("head")}
HEADS["gmp"]["dimension"] = CHANNELS
HEADS["facenet_maxout"]["units"] = 32
HEADS["flattened l2"] = {"name": "l2", "dimension": 16, "pool": "flatten"}


def check(module: torch.nn.Module, device: str) -> None:
    """Output, gradient of the input, gradient of the parameters if there are any."""
    features = torch.randn(8, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    state = {key: value.clone() for key, value in module.state_dict().items()}
    with torch.no_grad():
        shape = without_chance(module)(features).shape
    weights = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    learned = any(True for _ in module.parameters())

    def run(place: str, dtype: torch.dtype) -> Mapping[str, Any]:
        module.load_state_dict(state)
        without_chance(module.to(place, dtype)).zero_grad()
        leaf = features.to(place, dtype, copy=True).requires_grad_()
        found = module(leaf)
        (found * weights.to(found)).sum().backward()
        return {"output": found, "input": leaf.grad, **({"parameters": gradient(module)} if learned else {})}

    floors = {"output": VALUES, "input": GRADIENTS, **({"parameters": GRADIENTS} if learned else {})}
    agree(run, device, floors)


@pytest.mark.parametrize("title", HEADS)
def test_a_head_computes_what_the_cpu_computes(device: str, title: str) -> None:
    torch.manual_seed(0)
    check(resolve("head", HEADS[title]).build(CHANNELS, SIDE, SIDE), device)


@pytest.mark.parametrize("name", known("decoder"))
def test_a_decoder_computes_what_the_cpu_computes(device: str, name: str) -> None:
    torch.manual_seed(0)
    check(resolve("decoder", {"name": name}).build(CHANNELS, SIDE, SIDE, 16 * SIDE), device)
