"""Every backbone: embeddings and the gradient of a training loss on the device, against the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from on_device import GRADIENTS, VALUES, agree, gradient, shaken, without_chance
from smallest_settings import BACKBONES, NO_NETWORK

from configs.lookup import known, resolve
from modules.network import Network

IMAGES, CLASSES = 4, 3


def test_every_file_is_tested() -> None:
    assert {config["name"] for config, _ in BACKBONES.values()} | NO_NETWORK == set(known("backbone"))


@pytest.mark.parametrize("title", BACKBONES)
def test_a_backbone_computes_what_the_cpu_computes(device: str, title: str) -> None:
    config, size = BACKBONES[title]
    head = resolve("head", {"name": "gap_bn", "dimension": 16, "dropout": 0})
    torch.manual_seed(0)
    network = Network(resolve("backbone", config), head, resolve("loss", "softmax"), CLASSES, size)
    coarse = torch.rand(IMAGES, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    images = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    labels = torch.arange(IMAGES) % CLASSES
    state = {key: value.clone() for key, value in network.state_dict().items()}

    def run(place: str, dtype: torch.dtype, change: float = 0.0, seed: int = 0) -> Mapping[str, Any]:
        network.load_state_dict(state)
        network.to(place, dtype).zero_grad()
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        given = (images * (1 + change * noise)).to(place, dtype)
        loss = without_chance(network).loss_of(given, labels.to(place))
        loss.backward()
        with torch.no_grad():
            embeddings = network.eval().embed(given)
        return {"loss": loss, "gradient": gradient(network), "embeddings": embeddings}

    moved = shaken(lambda change, seed: run("cpu", torch.float64, change, seed)["gradient"])
    agree(run, device, {"loss": VALUES, "gradient": max(GRADIENTS, 3 * moved), "embeddings": VALUES})
