"""Every explainer: maps on the device, against the CPU; and the same bits twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from explaining import EXPLAINERS, maps_of
from on_device import agree

from configs.lookup import known

MAPS = 1e-2  # relative to the L2 norm: maps are gradients, or ranks and weights of scores that differ by rounding


def test_every_file_is_tested() -> None:
    assert {config["name"] for config in EXPLAINERS.values()} == set(known("explainer"))


@pytest.mark.parametrize("title", EXPLAINERS)
def test_a_map_is_that_of_the_cpu(device: str, title: str) -> None:
    def run(place: str, dtype: torch.dtype) -> Mapping[str, Any]:
        return maps_of(title, place, dtype)

    agree(run, device, dict.fromkeys(maps_of(title, "cpu", torch.float32), MAPS))


@pytest.mark.parametrize("title", EXPLAINERS)
def test_a_map_is_the_same_twice(device: str, title: str) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (maps_of(title, device, torch.float32) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    for name, maps in first.items():
        np.testing.assert_array_equal(maps, second[name])
