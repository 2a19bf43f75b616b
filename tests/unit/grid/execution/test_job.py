import errno
import gc
import os
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.contract import ContractError
from grid.execution.job import Begun, Job, RunOptions, begin, jobs_of, lease_of, run
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid


def job(store: Path, **changes: object) -> Job:
    facts = {"kind": "explain", "id": "a" * 32, "label": "explain:x", "needs": {}, "identity": {}, "config": {}, "source": ""}
    return Job(**{**facts, "store": str(store), **changes})  # type: ignore[arg-type]


def test_a_component_that_the_worker_cannot_import_is_named_and_costs_no_attempt(tmp_path: Path) -> None:
    foreign = job(tmp_path, config={"explainer": {"name": "nowhere.method"}})
    outcome = run(foreign, RunOptions())
    assert outcome.ended == "failed"
    assert "'nowhere.method'" in str(outcome.error)
    assert "same code" in str(outcome.error)
    assert Ledger(tmp_path).attempts("explain", foreign.id) == 0


def test_other_sources_than_the_driver_s_are_refused(tmp_path: Path) -> None:
    outcome = run(job(tmp_path, source="0" * 64), RunOptions())
    assert outcome.ended == "failed"
    assert "code differs from the driver's" in str(outcome.error)
    assert Ledger(tmp_path).attempts("explain", "a" * 32) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; mounting one needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True).returncode:
        pytest.skip("cannot mount here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_stage_that_meets_a_full_disk_is_unfinished_and_leaves_no_temporary_files(
    make: Callable[..., Grid], small_disk: Path
) -> None:
    grid = make(f"launch.store={small_disk / 'store'}", axes={}, protocols=[], explainers=[])
    plan = make_plan(grid)
    (stage,) = plan.stages
    work = jobs_of([stage], store_of(grid))[stage.id]
    outcome = run(work, RunOptions())
    assert outcome.ended == "failed"
    assert str(outcome.error).startswith(f"no space left in {small_disk / 'store'} (")
    assert "/000001-" not in str(outcome.error), "cells with the same reason say the same"
    ledger = Ledger(store_of(grid))
    assert ledger.status("train", stage.id).state == "run", "not failed: it needs no --retry"
    left = [path.name for path in small_disk.rglob("*") if path.is_file()]
    assert not [name for name in left if name.startswith(".") or name.endswith((".tmp", ".ckpt"))], left
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert run(work, RunOptions()).ended == "done"
    assert ledger.status("train", stage.id).state == "done"


def test_a_stage_that_meets_an_error_of_the_store_is_unfinished(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = make(axes={}, protocols=[], explainers=[])
    (stage,) = make_plan(grid).stages
    work, upload = jobs_of([stage], store_of(grid))[stage.id], LocalStore._upload

    def broken(self: LocalStore, path: Path, key: str) -> None:
        if "checkpoints" not in key:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
        upload(self, path, key)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "_upload", broken)
        outcome = run(work, RunOptions())
    assert outcome.ended == "failed"
    assert "cannot be read or written (TimeoutError: " in str(outcome.error)
    ledger = Ledger(store_of(grid))
    assert ledger.status("train", stage.id).state == "run", "not failed: it needs no --retry"
    assert run(work, RunOptions()).ended == "done"
    assert "resumed.json" in {key.rpartition("/")[2] for key in ledger.store.walk(f"train/{stage.id}")}, "from its checkpoint"


@pytest.mark.parametrize("raises", [False, True])  # as in a launch, and as in debug
def test_a_stage_that_returns_something_else_fails_with_one_line(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, raises: bool
) -> None:
    from grid.stages import train

    monkeypatch.setattr(train, "run", lambda config, context: None)
    grid = make(axes={}, protocols=[], explainers=[])
    (stage,) = make_plan(grid).stages
    work = jobs_of([stage], store_of(grid))[stage.id]
    said = "stage 'train': run returned None; expected a Result of grid.stages.context"
    if raises:
        with pytest.raises(ContractError, match=f"^{said}"):
            run(work, RunOptions(raises=True))
    else:
        assert str(run(work, RunOptions()).error).startswith(said)
    failure = Ledger(store_of(grid)).failure("train", stage.id)
    assert failure is not None
    assert failure.error.startswith(said)
    assert failure.error.endswith("docs/extending/stage.md")


def test_what_a_failed_stage_held_is_freed_before_the_cache_of_the_gpu_is_emptied(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    from grid.stages import train

    class Trainer:
        pass

    held, freed = [], list[bool]()

    def fails(config: Any, context: Any) -> None:
        trainer: Any = Trainer()
        trainer.own = trainer
        held.append(weakref.ref(trainer))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(train, "run", fails)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(held[0]() is None))
    grid = make(axes={}, protocols=[], explainers=[])
    (stage,) = make_plan(grid).stages
    gc.disable()
    try:
        assert run(jobs_of([stage], store_of(grid))[stage.id], RunOptions(larger=frozenset({"gpu"}))).ended == "no_gpu_memory"
    finally:
        gc.enable()
    assert freed[-1]


def test_a_stage_that_another_process_computes_is_waited_for_and_not_computed_again(make: Callable[..., Grid]) -> None:
    grid = make(axes={}, protocols=[], explainers=[])
    (stage,) = make_plan(grid).stages
    work = jobs_of([stage], store_of(grid))[stage.id]
    ledger = Ledger(store_of(grid))
    held = threading.Event()

    def other() -> None:
        with Lock(ledger.store, "another process", prefix=lease_of(work)):
            held.set()
            begun = begin(work)
            assert isinstance(begun, Begun)
            (begun.attempt.path / "out").write_bytes(b"x")
            begun.attempt.finish({}, begun.attempt.inputs, work.source, ["out"])

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(10)
    busy = run(work, RunOptions(wait=0.0))
    assert busy.ended in ("busy", "done")
    if busy.ended == "busy":
        assert "is in use: another process by" in str(busy.error)
    rows: list[dict[str, Any]] = []
    assert run(work, RunOptions(report=rows.append)).ended == "done"
    thread.join()
    assert all(row["waiting"].startswith("waits for what another process computes: another process by") for row in rows)
    assert ledger.attempts("train", stage.id) == 1


@pytest.mark.parametrize("tf32", [False, True])
def test_only_a_training_may_use_tf32(tf32: bool, make: Callable[..., Grid]) -> None:
    grid = make(f"compute.tf32={str(tf32).lower()}", axes={})
    jobs = jobs_of(make_plan(grid).stages, store_of(grid))
    assert {job.kind for job in jobs.values()} > {"train", "evaluate"}
    assert {job.kind for job in jobs.values() if job.tf32} == ({"train"} if tf32 else set())
