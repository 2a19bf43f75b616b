"""The networks of configs/grids/demo.yaml with a whole batch in channels_last: the gradient of each weight, and each statistic.

``test_backbones`` compares all gradients as one vector, in which a weight with a small share may be wrong: an optimizer with
a step per weight, such as AdamW, would take it like any other. CUDA has other kernels for channels_last, among them those of
depthwise convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from on_device import GRADIENTS, ROUNDING, VALUES, agree, without_chance

from configs.lookup import resolve
from modules.network import Network

IMAGES, CLASSES, SIZE = 32, 8, 64
NEGLIGIBLE = 1e-5  # of the norm of all gradients: a bias before a normalization, whose gradient is rounding alone
DEMO: dict[str, dict[str, Any]] = {
    "alexnet": {"name": "alexnet"},
    "resnet34": {"name": "resnet34"},
    "efficientnet_b1": {"name": "efficientnet_b1", "bn_momentum": 0.1, "drop_path": 0.0},
}


@pytest.mark.parametrize("title", DEMO)
def test_each_weight_and_each_statistic_is_that_of_the_cpu(device: str, title: str) -> None:
    head = resolve("head", {"name": "gap_bn", "dropout": 0})
    torch.manual_seed(0)
    network = Network(resolve("backbone", DEMO[title]), head, resolve("loss", "softmax"), CLASSES, SIZE)
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(IMAGES, 3, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1
    images = torch.nn.functional.interpolate(coarse, SIZE, mode="bilinear")
    labels = torch.arange(IMAGES) % CLASSES
    state = {key: value.clone() for key, value in network.state_dict().items()}

    def run(place: str, dtype: torch.dtype, change: float = 0.0) -> Mapping[str, torch.Tensor]:
        network.load_state_dict(state)
        network.to(place, dtype, memory_format=torch.channels_last).zero_grad()
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        given = (images * (1 + change * noise)).to(place, dtype, memory_format=torch.channels_last)
        without_chance(network).loss_of(given, labels.to(place)).backward()
        found = {f"gradient of {name}": one.grad for name, one in network.named_parameters() if one.grad is not None}
        return found | {name: one for name, one in network.named_buffers() if name.endswith(("running_mean", "running_var"))}

    exact = {name: value.detach().clone() for name, value in run("cpu", torch.float64).items()}
    moved = {name: float((value - exact[name]).norm()) for name, value in run("cpu", torch.float64, ROUNDING).items()}
    whole = float(torch.stack([value.norm() for name, value in exact.items() if name.startswith("gradient")]).norm())
    floors = {}
    for name, value in exact.items():
        if (norm := float(value.norm())) > NEGLIGIBLE * whole:
            floors[name] = max(GRADIENTS, 3 * moved[name] / norm) if name.startswith("gradient") else VALUES
    assert len(floors) > len(exact) / 2
    agree(lambda *place: {name: value for name, value in run(*place).items() if name in floors}, device, floors)
