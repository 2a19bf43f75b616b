"""Every explanation metric: its numbers on the device, against the CPU, for the same maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import explained
import numpy as np
import pytest
from explained import maps

from configs.lookup import known, resolve
from modules.attribution import returned
from modules.attribution.explanation import Explained

SIDE = 16
SETTINGS: dict[str, dict[str, Any]] = {"sanity": {"depths": 1}, "pointing": {"resamples": 50}}


def regions() -> np.ndarray:
    """A square in each of the twelve images."""
    found = np.zeros((12, SIDE, SIDE), bool)
    found[:, 4:12, 2:10] = True
    return found


def moved(given: Explained, device: str) -> Explained:
    """The network, images and target on a device, as in a stage."""
    target = given.target
    if hasattr(target, "references"):
        target = replace(target, references=target.references.to(device))  # type: ignore[type-var, union-attr]
    return replace(given, network=given.network.to(device), images=given.images.to(device), target=target)


def numbers(found: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a JSON value, with its path."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(found, (list, tuple)):
        for place, value in enumerate(found):
            yield from numbers(value, f"{path}/{place}")
    elif isinstance(found, (int, float)):
        yield path, float(found)


@pytest.mark.parametrize("kind", ["single", "paired", "together"])
@pytest.mark.parametrize("name", known("score"))
def test_a_score_is_that_of_the_cpu(device: str, name: str, kind: str) -> None:
    if (name, kind) == ("pointing", "single"):
        pytest.skip("single images have no true region here")
    more: dict[str, Any] = {"find_regions": regions} if kind != "single" else {}
    if kind == "together":
        more["config"] = {"side": 5}
    if name == "pointing":
        more["maps"] = {"": maps(12, side=SIDE)} if kind == "paired" else {"S+": maps(12, side=SIDE)}
    config = resolve("score", {"name": name, **SETTINGS.get(name, {})})
    cpu, here = (
        dict(numbers(returned.score(config, moved(getattr(explained, kind)(**more), place)))) for place in ("cpu", device)
    )
    assert cpu.keys() == here.keys()
    assert len(cpu) > 10
    for path, value in cpu.items():
        assert here[path] == pytest.approx(value, rel=1e-3, abs=1e-3), path
