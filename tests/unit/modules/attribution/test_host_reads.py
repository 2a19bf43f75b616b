"""An explanation does not wait for its device in every batch: how often it would does not grow with the batches."""

from collections.abc import Iterator
from typing import Any

import explaining
import numpy as np
import pytest
import torch
from explaining import MORE
from pretended_device import DEVICE, Pretended


@pytest.fixture(autouse=True, scope="module")
def own_network() -> Iterator[None]:
    """The network stays on the device."""
    yield
    explaining._small.cache_clear()


def explained(title: str, changes: dict[str, Any]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The maps, and the operations that would have waited; that the network is copied to the device counts each time."""
    explaining._small.cache_clear()
    with Pretended() as seen:
        maps = explaining.maps_of(title, DEVICE, torch.float32, **changes)
    return maps, seen.waits


@pytest.mark.parametrize("title", MORE)
def test_the_number_of_waits_does_not_depend_on_the_number_of_batches(title: str) -> None:
    (maps, few), (_, many) = (explained(title, changes) for changes in MORE[title])
    assert few, "it ends by copying its maps"
    assert sorted(many) == sorted(few)
    explaining._small.cache_clear()
    for name, plain in explaining.maps_of(title, "cpu", torch.float32, **MORE[title][0]).items():
        np.testing.assert_array_equal(maps[name], plain, "the device computes what the CPU does")


WAITS = {
    "a number": lambda there, here: float(there.sum()),
    "a list": lambda there, here: there.tolist(),
    "a condition": lambda there, here: bool((there > 0).all()),
    "a copy to the host": lambda there, here: there.cpu(),
    "a copy to the device": lambda there, here: here.to(DEVICE),
    "a tensor that is made from a list": lambda there, here: torch.tensor([1.0, 2.0], device=DEVICE),
    "a copy into a tensor": lambda there, here: there.copy_(here),
    "places from the host": lambda there, here: there[torch.tensor([1, 0])],
    "a mask": lambda there, here: there[there > 1],
    "places of what is not zero": lambda there, here: there.nonzero(),
}
GOES_ON = {
    "arithmetic": lambda there, here: (there * 2 + 1).sum(),
    "a new tensor": lambda there, here: torch.zeros(2, device=DEVICE) + there,
    "a copy that is not waited for": lambda there, here: here.to(DEVICE, non_blocking=True),
    "the same device": lambda there, here: there.to(DEVICE),
    "places on the device": lambda there, here: there[torch.arange(2, device=DEVICE)],
    "a slice": lambda there, here: there[1:].add_(1),
    "a choice": lambda there, here: torch.where(there > 1, there, 0),
    "a gradient": lambda there, here: (there.requires_grad_() * 2).sum().backward(),
}


@pytest.mark.parametrize("title", [*WAITS, *GOES_ON])
def test_the_pretended_device_knows_what_waits(title: str) -> None:
    with Pretended() as seen:
        here = torch.tensor([1.0, 2.0])
        there = here.to(DEVICE)
        before = len(seen.waits)
        ({**WAITS, **GOES_ON})[title](there, here)
    assert before == 1
    assert len(seen.waits) - before == (title in WAITS)


def test_the_pretended_device_does_not_compute_with_tensors_of_the_host() -> None:
    with Pretended(), pytest.raises(RuntimeError, match="two devices"):
        torch.ones(2, device=DEVICE) + torch.ones(2)
