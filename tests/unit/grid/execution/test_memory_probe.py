"""The memory of a training, measured by its first steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from grid.execution import memory_probe
from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.execution.memory_peak import GIB
from grid.execution.memory_probe import measured_peak
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid
from modules.layers import gathering
from modules.network import Network
from modules.training.nonfinite import NonFiniteLoss

SMALL = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
RECIPE = {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 2}


def training(make: Callable[..., Grid], **more: Any) -> Job:
    grid = make(base={"backbone": SMALL, "input": {"size": 32}, "recipe": RECIPE, **more})
    stage = next(one for one in make_plan(grid).stages if one.stage == "train" and not one.needs)
    (job,) = jobs_of([stage], store_of(grid)).values()
    return job


def files(job: Job) -> list[str]:
    folder = Path(job.store)
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_a_few_steps_are_made_and_nothing_is_written(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    job, steps, forward = training(make), list[int](), Network.loss_of

    def counting(self: Any, images: Any, *args: Any) -> Any:
        steps.append(len(images))
        return forward(self, images, *args)

    monkeypatch.setattr(Network, "loss_of", counting)
    peak = measured_peak(job, "cpu")
    assert steps == [2, 2, 2]
    assert (peak.gpu, peak.gpu_total, peak.device) == (0, 0, "cpu")
    assert 0.1 * GIB < peak.memory < 20 * GIB
    assert [name for name in files(job) if not name.startswith(("crops/", "scans/"))] == []


@pytest.mark.parametrize("before", [False, True], ids=["alone", "after an attempt"])
def test_no_checkpoint_is_due_and_no_attempt_before_is_in_the_way(make: Callable[..., Grid], before: bool) -> None:
    job = replace(training(make), checkpoint_minutes=1e-6)
    if before:
        Ledger(job.store).begin(job.kind, job.id, {}).close()
    there = sorted(files(job))
    measured_peak(job, "cpu")
    assert [name for name in sorted(files(job)) if not name.startswith(("crops/", "scans/"))] == there


def test_a_checkpoint_of_the_training_stays_its_own(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    job, steps, forward = training(make), list[int](), Network.loss_of

    def failing(self: Any, *args: Any) -> Any:
        steps.append(1)
        if len(steps) > 9:  # in the second epoch of six batches
            raise ValueError("no such loss")
        return forward(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Network, "loss_of", failing)
        assert run(job, RunOptions()).ended == "failed"
    before = sorted(files(job))
    assert [name for name in before if name.endswith(".ckpt")]
    measured_peak(job, "cpu")
    assert sorted(files(job)) == before


def test_an_epoch_of_two_batches_ends_with_the_second(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    steps, forward = list[int](), Network.loss_of

    def counting(self: Any, images: Any, *args: Any) -> Any:
        steps.append(len(images))
        return forward(self, images, *args)

    monkeypatch.setattr(Network, "loss_of", counting)
    measured_peak(training(make, recipe={**RECIPE, "batch_size": 6}), "cpu")
    assert steps == [6, 6]


SEARCH: dict[str, Any] = {
    "trials": 2,
    "rungs": [1, 2],
    "reduction": 2,
    "space": {"layers": [1, 3], "widths": [8, 64], "step": 8},
}


def test_a_trial_of_any_rung_is_measured_with_the_largest_head(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = make(base={"backbone": SMALL, "input": {"size": 32}, "recipe": RECIPE, "head": "dense", "search": SEARCH})
    jobs = [job for job in jobs_of(make_plan(grid).stages, store_of(grid)).values() if job.kind == "trial"][:3]
    assert [job.config["slot"]["rung"] for job in jobs] == [0, 0, 1]
    steps, forward = list[int](), Network.loss_of

    def counting(self: Any, images: Any, *args: Any) -> Any:
        steps.append(self.dimension)
        return forward(self, images, *args)

    monkeypatch.setattr(Network, "loss_of", counting)
    measured_peak(jobs[-1], "cpu")  # the results of the first rung are not there, and are not asked for
    assert steps == [64, 64, 64]
    monkeypatch.setattr(Network, "loss_of", lambda self, *args: forward(self, *args) * float("nan"))
    with pytest.raises(NonFiniteLoss):
        measured_peak(jobs[0], "cpu")
    assert [name for name in files(jobs[0]) if not name.startswith(("crops/", "scans/"))] == []


SHARED: dict[str, Any] = {"classes": "shared", "batch_norm": "synchronized"}
CASES: list[tuple[dict[str, Any], Any, dict[str, Any]]] = [
    ({}, "softmax", {}),
    (SHARED, {"name": "arcface", "sample": 0.6}, {}),
    ({}, "triplet", {"batches": {"name": "pk", "images": 5}}),
    ({}, "arcface", {"reconstruction": {"decoder": {"name": "unet"}}}),
]


@pytest.mark.parametrize(("compute", "loss", "more"), CASES, ids=str)
def test_of_a_training_on_several_devices_one_process_takes_its_share(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, compute: dict[str, Any], loss: Any, more: dict[str, Any]
) -> None:
    recipe = {**RECIPE, "batch_size": 10, "select": "last"}
    job = training(make, recipe=recipe, compute={"devices": 3, **compute}, loss=loss, **more)
    own, whole, forward, gather = list[int](), set[int](), Network.loss_of, gathering.gathered

    def counting(self: Any, images: Any, *args: Any) -> Any:
        own.append(len(images))
        return forward(self, images, *args)

    def gathered(rows: Any) -> Any:
        found = gather(rows)
        whole.add(len(found))
        return found

    monkeypatch.setattr(Network, "loss_of", counting)
    monkeypatch.setattr("modules.network.gathered", gathered)
    peak = measured_peak(job, "cpu")
    assert own == [4] * len(own) != []
    assert whole == {10}, "as in a training, although rank 0 has one image more than others"
    assert peak.several
    assert not torch.distributed.is_initialized()
    assert [name for name in files(job) if not name.startswith(("crops/", "scans/"))] == []


@pytest.mark.parametrize(("compute", "loss", "more"), CASES[:2], ids=str)
def test_a_training_that_can_do_with_fewer_devices_is_measured_on_these(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, compute: dict[str, Any], loss: Any, more: dict[str, Any]
) -> None:
    """As a rank also on one device, since it may take more; a training that never has more is none."""
    recipe = {**RECIPE, "batch_size": 6}
    job = training(make, recipe=recipe, compute={"devices": 3, **compute}, loss=loss, **more)
    own, forward = list[tuple[int, bool, bool]](), Network.loss_of

    def counting(self: Any, images: Any, *args: Any) -> Any:
        own.append((len(images), torch.distributed.is_initialized(), getattr(self.loss, "part", None) is not None))
        return forward(self, images, *args)

    monkeypatch.setattr(Network, "loss_of", counting)
    for changes, images, rank in (({"fewest": 1}, 6, True), ({"fewest": 2}, 3, True), ({"ranks": 1}, 6, False)):
        own.clear()
        assert measured_peak(replace(job, **changes), "cpu").several == rank
        assert set(own) == {(images, rank, rank and bool(compute))}


def test_loader_processes_count_with_what_is_their_own(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def unshared(pid: int) -> int:
        seen.append(pid)
        return 7 * GIB

    monkeypatch.setattr(memory_probe, "_unshared", unshared)
    peak = measured_peak(replace(training(make), workers=1), "cpu")
    assert len(set(seen)) >= 1
    assert peak.memory > 7 * GIB * len(seen)


@pytest.mark.slow
def test_a_large_array_is_in_the_peak_even_after_it_is_gone(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    forward, large = Network.loss_of, memory_probe._own() + (1 << 28)

    def hungry(self: Any, *args: Any) -> Any:
        torch.ones(large // 4)
        return forward(self, *args)

    monkeypatch.setattr(Network, "loss_of", hungry)
    assert measured_peak(training(make), "cpu").memory > large


def test_what_trains_nothing_is_refused_before_it_runs(make: Callable[..., Grid]) -> None:
    job = training(make)
    with pytest.raises(ValueError, match="is no training whose memory can be measured"):
        measured_peak(replace(job, kind="evaluate"), "cpu")


def test_of_a_gpu_what_torch_reserved_and_what_lies_outside_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU is needed: torch.cuda's answers are given."""
    answers = {
        "synchronize": None,
        "mem_get_info": (60 * GIB, 80 * GIB),  # 20 used, of which torch holds 18 now
        "memory_reserved": 18 * GIB,
        "max_memory_reserved": 25 * GIB,
        "get_device_name": "NVIDIA H100",
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, lambda answer=answer: answer)
    peak = memory_probe._peak("gpu", held=0)
    assert (peak.gpu, peak.gpu_total, peak.device) == (27 * GIB, 80 * GIB, "NVIDIA H100")
    assert memory_probe._peak("gpu", held=GIB).gpu == 26 * GIB
