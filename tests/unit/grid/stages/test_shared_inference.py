"""Images divided among devices: each one once, in whole batches, with the results of one device bit for bit."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ranks import together

from datamodules.inference import BATCH, infer
from grid.stages import shared_inference as module
from grid.stages.shared_inference import shared_inference, shares
from modules.training.ranks import Rank

SIDE = 8
CROPS = np.random.default_rng(0).integers(0, 256, (3 * BATCH + 5, SIDE, SIDE, 3), dtype=np.uint8)
WEIGHT = torch.randn(3 * SIDE * SIDE, 6, generator=torch.Generator().manual_seed(0))
PROGRAM = """
from datamodules.inference import infer
from grid.stages.shared_inference import _gathered, shares

def function(images):
    flat = images.flatten(1)
    return {"vector": flat @ weight, "count": (flat > 0).sum(1)}

parts = shares(len(crops), batch, rank.world)
own = parts[rank.number]
found = infer(function, crops.__getitem__, range(own.start, own.stop), "cpu")
result = _gathered(found, parts, rank)
"""


PACED = """
import contextlib
import time
from types import SimpleNamespace
from grid.stages import shared_inference as module
from modules.training import ranks

module.PATIENCE = ranks.PATIENCE
module.FEWEST = {"cpu": 1}

def function(images):
    if rank.number == slow:
        time.sleep(pause)
    return {"vector": images.flatten(1).sum(1)}

@contextlib.contextmanager
def all_ranks(context, devices, resume):
    yield rank

module.all_ranks, module.replace = all_ranks, lambda context, **changes: context
helper = SimpleNamespace(world=rank.world, rank=rank.number) if rank.number else None
about = {"device": "cpu", "accelerator": "cpu", "devices": rank.world, "fast": False, "helper": helper}
context = SimpleNamespace(report=lambda row: None, **about)
result = module.shared_inference(function, crops.__getitem__, range(len(crops)), context)
"""


@pytest.mark.parametrize("slow", [0, 1])
def test_a_rank_waits_for_a_slower_one_as_long_as_that_computes(tmp_path: Path, slow: int) -> None:
    crops = np.concatenate([CROPS] * 3)
    first, _ = together(tmp_path / "ranks", 2, PACED, crops=crops, slow=slow, pause=1.2, patience=timedelta(seconds=4))
    assert len(first["vector"]) == len(crops)


@given(st.integers(1, 2000), st.integers(1, 70), st.integers(1, 9))
def test_each_image_is_in_one_share_and_only_the_last_batch_is_not_whole(count: int, size: int, devices: int) -> None:
    found = shares(count, size, devices)
    assert [row for part in found for row in part] == list(range(count))
    assert len(found) == devices
    assert all(part.start % size == 0 or part.start == count for part in found)
    batches = [-(-len(part) // size) for part in found]
    assert batches == sorted(batches, reverse=True)
    assert batches[0] - batches[-1] <= 1


@pytest.mark.parametrize("devices", [2, 3])
def test_gathered_results_are_those_of_one_device_bit_for_bit(tmp_path: Path, devices: int) -> None:
    torch.set_num_threads(1)
    first, *others = together(tmp_path / "ranks", devices, PROGRAM, crops=CROPS, batch=BATCH, weight=WEIGHT)
    whole = infer(
        lambda images: {"vector": images.flatten(1) @ WEIGHT, "count": (images.flatten(1) > 0).sum(1)},
        CROPS.__getitem__,
        range(len(CROPS)),
        "cpu",
    )
    assert first.keys() == whole.keys()
    for name, values in whole.items():
        assert torch.equal(first[name], values), name
        assert first[name].dtype == values.dtype
    assert sum(len(one["vector"]) for one in others) < len(CROPS) - BATCH, "each has computed only its share"


def test_a_further_process_is_started_only_for_enough_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Started(Exception):
        pass

    def start(context: Any, devices: int, resume: Any) -> Any:
        asked.append(devices)
        raise Started

    monkeypatch.setattr(module, "all_ranks", start)
    monkeypatch.setattr(module, "replace", lambda context, **changes: context)

    def devices(images: int, fast: bool = False) -> int:
        context: Any = SimpleNamespace(device="cpu", accelerator="cpu", devices=3, fast=fast, helper=None)
        with pytest.raises(Started):
            shared_inference(lambda block: {}, CROPS.__getitem__, np.zeros(images, int), context)
        return asked[-1]

    each = module.FEWEST["cpu"] * BATCH
    assert [devices(count) for count in (1, 2 * each - BATCH, 2 * each, 3 * each, 99 * each)] == [1, 1, 2, 3, 3]
    assert devices(99 * each, fast=True) == 1


def test_a_rank_that_computes_nothing_any_more_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"DistError: no process has computed a batch for 0:00:02"):
        together(tmp_path / "ranks", 2, PACED, crops=CROPS[: 2 * BATCH], slow=1, pause=6.0, patience=timedelta(seconds=2))


def test_a_helper_that_has_ended_is_not_waited_for() -> None:
    rank = Rank(0, 2, torch.distributed.HashStore())
    team = SimpleNamespace(ended=lambda: {1: None})
    with pytest.raises(torch.distributed.DistError, match="a process has ended"):
        module._await_all(rank, [team])  # type: ignore[list-item]
    module._await_all(rank, [team])  # type: ignore[list-item]
