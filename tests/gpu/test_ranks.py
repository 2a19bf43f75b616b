"""Trainings as ranks on a GPU: one rank connected by nccl, and two ranks that share the GPU connected by gloo.

nccl takes one rank per GPU, so with a single GPU it has a group of one. All its collectives run,
and it takes CUDA tensors only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rank_trainings import PROGRAM
from ranks import together

from cluster.collective import free_port, sum_over_nodes

TRIPLET = {"loss": "triplet", "batches": {"name": "pk", "images": 2}, "recipe": {"batch_size": 6, "lr": 0.01}}
ARCFACE = {"loss": {"name": "arcface", "scale": 16}, "shared": True, "recipe": {"lr": 0.01}}
BATCH = {"name": "batch", "gray": 0.3, "erase": 0.5}
CASES: dict[str, dict[str, Any]] = {
    "softmax": {},
    "accumulated and clipped": {"recipe": {"accumulate": 2, "clip": 0.5, "batch_size": 10}},
    "moving average": {"recipe": {"ema": 0.5}},
    "triplets": TRIPLET,
    "triplets, one validation image": {**TRIPLET, "validation": 1, "recipe": {**TRIPLET["recipe"], "select": "last"}},
    "augmentation on the device": {"augmentation": BATCH},
    "new subjects": {"open_set": True},
    "synchronized normalization": {
        "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
        "synchronized": True,
        "recipe": {"lr": 0.01},
    },
    "bfloat16": {"precision": "bf16-mixed"},
    "float16": {"precision": "16-mixed"},
    "shared classes": ARCFACE,
    "shared classes, sampled": {
        **ARCFACE,
        "loss": {"name": "cosface", "scale": 16, "sample": 0.5},
        "recipe": {"lr": 0.01, "ema": 0.5},
    },
    "shared classes, clipped": {**ARCFACE, "recipe": {"optimizer": "adamw", "lr": 0.001, "clip": 0.5}},
}
# gloo cannot send classes that are on a GPU, and in half precision the parts of a batch are rounded otherwise than the whole
ON_ONE = [title for title, case in CASES.items() if not case.keys() & {"shared", "precision"}]
CLOSE = 1e-4  # of weights and history: order of float32 sums, over eight steps
WITHOUT_CUDNN = "import torch\ntorch.backends.cudnn.enabled = False\n"


def alone(place: Path, case: dict[str, Any], accelerator: str) -> Any:
    place.mkdir()
    names: dict[str, Any] = {"rank": None, "cases": [{**case, "accelerator": accelerator}], "place": place}
    exec(compile(PROGRAM, "<program>", "exec"), names)
    return names["result"][0]


def as_ranks(place: Path, world: int, case: dict[str, Any], connected: str, accelerator: str, before: str = "") -> list[Any]:
    """What each rank found; ``before`` is what it runs first."""
    place.mkdir()
    cases = [{**case, "accelerator": accelerator}]
    found = together(place / "ranks", world, before + PROGRAM, connected, cases=cases, place=place)
    return [results[0] for results in found]


def same(expected: Any, found: Any) -> None:
    """The weights and the history."""
    (history, weights, *_), (rows, kept, *_) = expected, found
    assert kept.keys() == weights.keys()
    for key, value in weights.items():
        torch.testing.assert_close(kept[key], value, rtol=0, atol=CLOSE, msg=lambda why, key=key: f"{key}: {why}")
    for row, other in zip(history, rows, strict=True):
        for key, value in row.items():
            near = pytest.approx(value, rel=CLOSE, abs=CLOSE) if isinstance(value, float) else value
            assert other[key] == near, key


@pytest.mark.parametrize("title", CASES)
def test_a_rank_connected_by_nccl_trains_as_one_without_a_process_group(accelerator: str, tmp_path: Path, title: str) -> None:
    expected = alone(tmp_path / "alone", CASES[title], accelerator)
    (found,) = as_ranks(tmp_path / "rank", 1, CASES[title], accelerator, accelerator)
    same(expected, found)


@pytest.mark.parametrize("title", ON_ONE)
def test_two_ranks_on_one_gpu_train_as_one_process(
    accelerator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    """Without cuDNN, which may compute part of a batch by another algorithm than the whole, with another rounding."""
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)
    expected = alone(tmp_path / "alone", CASES[title], accelerator)
    first, second = as_ranks(tmp_path / "ranks", 2, CASES[title], "cpu", accelerator, WITHOUT_CUDNN)
    assert first[0] == second[0], "all ranks agree on every number"
    same(expected, first)


GATHER = """
import torch
from modules.layers.gathering import _counted, _Gathered
from modules.layers.shared_classes import ClassSlice, at_label, cross_entropy, for_own_classes, highest, summed

torch.manual_seed(0)
rows = torch.randn(6, 3, device=device, requires_grad=True)
found = _Gathered.apply(rows, _counted(rows))
(found ** 2).sum().backward()
part = ClassSlice(3, 0, 1)
labels = torch.tensor([0, 1, 2, 0, 1, 2], device=device)
held = torch.ones(6, dtype=torch.bool, device=device)
loss = cross_entropy(for_own_classes(found), at_label(found, labels, held), labels, held)
torch.distributed.barrier()
result = [one.detach().cpu() for one in (rows, found, rows.grad, loss, highest(found, part), summed(found))]
"""


def test_collectives_of_a_step_are_those_of_torch(device: str, accelerator: str, tmp_path: Path) -> None:
    ((rows, gathered, gradient, loss, best, total),) = together(tmp_path / "ranks", 1, GATHER, accelerator, device=device)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    assert torch.equal(gathered, rows)
    assert torch.equal(gradient, 2 * rows)
    assert torch.equal(total, rows)
    assert torch.equal(best, rows.argmax(1))
    torch.testing.assert_close(loss[:, 0], torch.nn.functional.cross_entropy(rows, labels, reduction="none"))


LOST = """
import time
import torch
from grid.stages.ranks import Team, _watched

class Lost(Team):
    def ended(self):
        return {1: None}
    def stop(self):
        pass

torch.distributed.all_reduce(torch.ones(1, device="cuda"))
with _watched(Lost(), "gpu"):
    limit = time.monotonic() + 30
    while torch.distributed.is_initialized() and time.monotonic() < limit:
        time.sleep(0.1)
result = torch.distributed.is_initialized()
"""


def test_a_lost_helper_ends_the_process_group_of_nccl(cuda: str, tmp_path: Path) -> None:
    assert together(tmp_path / "ranks", 1, LOST, "gpu") == [False]


def test_the_check_of_a_cluster_sums_with_nccl(cuda: str) -> None:
    host = "127.0.0.1"
    assert sum_over_nodes(0, 1, host, free_port(host), "nccl") is None
