"""What a pull worker passes over, waits for, and takes from the ledger; a lease of this process stands for another worker."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grid.execution import pull_worker
from grid.execution.executor import Session
from grid.execution.job import Job, RunOptions, jobs_of, lease_of, run
from grid.execution.local import LocalExecutor
from grid.execution.pull_worker import more_replicates, pull
from grid.execution.scheduler import WorkQueue, queue_of
from grid.execution.spending_limit import STOPPED
from grid.explain.of_study import drop
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.plan.plan import make_plan, store_of
from grid.plan.study_record import write_plan
from grid.spec.grid_file import BadInput, Grid
from grid.tracking.sync import TrackingUnreachable, sync

AXES = {"seed": {"zero": {"seed": 0}, "one": {"seed": 1}}}


def worker(grid: Grid) -> LocalExecutor:
    return LocalExecutor(grid.spec.launch, wait=0.0)


@pytest.fixture
def grid(make: Callable[..., Grid]) -> Grid:
    return make(axes=AXES, protocols=[], explainers=[], base={"recipe": {"name": "one_cycle", "lr": 0.1, "epochs": 1}})


def session_of(grid: Grid) -> tuple[Session, list[Job], list[str]]:
    """A session, the jobs of its two trainings, and what it says."""
    plan = make_plan(grid)
    jobs = jobs_of(plan.stages, store_of(grid))
    said: list[str] = []
    session = Session(queue_of(plan, jobs), Ledger(store_of(grid)), say=said.append)
    return session, [jobs[stage.id] for stage in plan.stages], said


def never(seconds: float) -> None:
    raise AssertionError("it waits")


def test_a_worker_alone_runs_everything_and_leaves(grid: Grid) -> None:
    session, jobs, said = session_of(grid)
    assert pull(session, worker(grid), sleep=never) == 2
    assert [stage.state for stage in make_plan(grid).stages] == ["done", "done"]
    assert [session.ledger.attempts("train", job.id) for job in jobs] == [1, 1]
    assert said == []


def test_a_stage_of_another_worker_is_passed_over_and_its_result_taken(grid: Grid) -> None:
    session, (first, second), said = session_of(grid)
    lease = Lock(session.ledger.store, "another worker", prefix=lease_of(first))
    lease.__enter__()

    def other(seconds: float) -> None:
        """Meanwhile the other worker finishes."""
        assert session.ledger.attempts("train", second.id) == 1
        lease.__exit__(None, None, None)
        assert run(first, RunOptions()).ended == "done"

    assert pull(session, worker(grid), sleep=other) == 1
    assert len(session.queue.done) == 2
    assert [session.ledger.attempts("train", job.id) for job in (first, second)] == [1, 1]
    assert said == ["waiting for stages that other processes compute"]


def test_a_worker_takes_over_what_another_has_left(grid: Grid) -> None:
    session, (first, _), _ = session_of(grid)
    lease = Lock(session.ledger.store, "another worker", prefix=lease_of(first))
    lease.__enter__()
    assert pull(session, worker(grid), sleep=lambda seconds: lease.__exit__(None, None, None)) == 2
    assert session.ledger.attempts("train", first.id) == 1


@pytest.mark.parametrize(("patience", "looks"), [(0.0, 0), (1.6, 2), (8.0, 4)])
def test_patience_limits_the_wait(grid: Grid, patience: float, looks: int) -> None:
    session, (first, _), said = session_of(grid)
    slept: list[float] = []
    with Lock(session.ledger.store, "another worker", prefix=lease_of(first)):
        assert pull(session, worker(grid), patience, slept.append) == 1
    assert len(slept) == looks
    assert sum(slept) <= patience
    assert session.ledger.attempts("train", first.id) == 0
    assert said[-1].endswith("this worker leaves")


def test_a_failure_of_another_worker_is_no_reason_to_try_again(grid: Grid) -> None:
    session, (first, _), _ = session_of(grid)
    lease = Lock(session.ledger.store, "another worker", prefix=lease_of(first))
    lease.__enter__()

    def other(seconds: float) -> None:
        attempt = session.ledger.begin("train", first.id, first.identity)
        attempt.fail("ValueError: no", "", deterministic=True)
        lease.__exit__(None, None, None)

    assert pull(session, worker(grid), sleep=other) == 1
    assert list(session.queue.failed.values()) == ["ValueError: no"]
    assert session.ledger.attempts("train", first.id) == 1


def test_what_another_worker_has_left_of_a_cell_is_computed_though_a_protocol_failed_there(make: Callable[..., Grid]) -> None:
    protocols = [{"name": "drawn", "label": f"{n}", "subjects": n, "shots": 8, "folds": 5} for n in (20, 21)]
    recipe = {"name": "one_cycle", "lr": 0.1, "epochs": 1}
    grid = make(axes={}, protocols=protocols, explainers=[], base={"recipe": recipe})
    session, jobs, _ = session_of(grid)
    train, first, second = (
        next(job for job in jobs if job.label == label) for label in ("train", "evaluate:20", "evaluate:21")
    )
    lease = Lock(session.ledger.store, "another worker", prefix=lease_of(train))
    lease.__enter__()

    def other(seconds: float) -> None:
        """The other worker trains, fails at the first protocol and is killed."""
        lease.__exit__(None, None, None)
        assert run(train, RunOptions()).ended == "done"
        session.ledger.begin("evaluate", first.id, first.identity).fail("ValueError: no", "", deterministic=True)

    assert pull(session, worker(grid), sleep=other) == 1
    assert session.ledger.marker("evaluate", second.id) is not None
    assert session.ledger.attempts("evaluate", first.id) == 1
    assert list(session.queue.failed.values()) == ["ValueError: no"]


def test_what_depends_on_the_failure_of_another_worker_fails_too(make: Callable[..., Grid]) -> None:
    data = {"name": "drawn", "first": 500, "subjects": 4, "shots": 3, "size": 64}
    source = {"name": "source", "data": data, "epochs": 1}
    grid = make(axes={}, protocols=[], explainers=[], base={"pretraining": source})
    session, jobs, _ = session_of(grid)
    pretrain = next(job for job in jobs if job.kind == "pretrain")
    lease = Lock(session.ledger.store, "another worker", prefix=lease_of(pretrain))
    lease.__enter__()

    def other(seconds: float) -> None:
        session.ledger.begin("pretrain", pretrain.id, pretrain.identity).fail("ValueError: no", "", deterministic=True)
        lease.__exit__(None, None, None)

    assert pull(session, worker(grid), sleep=other) == 0
    assert sorted(error.partition(",")[0] for error in session.queue.failed.values())[0] == "ValueError: no"
    assert len(session.queue.failed) == 2


def test_busy_work_waits_again(tmp_path: Path) -> None:
    from grid.execution.job import Outcome
    from grid.execution.scheduler import Work

    job = Job(kind="train", id="a", label="train", needs={}, identity={}, config={}, source="", store=str(tmp_path))
    queue = WorkQueue({"a": Work("a", "a", (job,), frozenset())}, {"a"})
    work = queue.take()
    assert work is not None
    queue.end("a", {"a": Outcome("busy", "by another")})
    assert (list(queue.waiting), queue.running, queue.failed, queue.done) == (["a"], {}, {}, [])


def test_a_worker_says_how_many_replicates_the_results_ask_for(make_study: Callable[..., Study]) -> None:
    axes = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1"]}
    study = make_study(axes=axes)
    assert more_replicates(study) is None
    rule: dict[str, Any] = {
        "at_least": 2, "at_most": 3, "until": {"metric": "auc", "half_width": 1e-6, "protocol": None, "of": "means"},
        "cells": [{"backbone": "alexnet"}, {"backbone": "resnet34"}], "protocol": "lfw view 2",
    }  # fmt: skip
    record = json.loads((study.path / "plan.json").read_text())
    for half_width, said in ((1e-6, "the results ask for 2 replicates more: `facegrid launch GRID --no-run`"), (10.0, None)):
        until = {**rule["until"], "half_width": half_width}
        (study.path / "plan.json").write_text(json.dumps({**record, "replication": {**rule, "until": until}}))
        found = more_replicates(Study(study.path))
        assert found is None if said is None else found is not None and found.startswith(said)


@pytest.mark.parametrize("beside", [True, False])
def test_the_exit_code_says_whether_a_limit_or_the_patience_ended_before_the_cells_were_done(
    grid: Grid, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, beside: bool
) -> None:
    plan = make_plan(grid)
    write_plan(plan, grid)
    queue = queue_of(plan, jobs_of(plan.stages, store_of(grid)))
    monkeypatch.setattr(pull_worker, "conclude", lambda *_: tmp_path / "index.html")
    console = Console(width=200, record=True, file=io.StringIO())

    def ended() -> int:
        with Lock(LocalStore(plan.study), "launch of small") if beside else contextlib.nullcontext():
            return pull_worker._conclude(Study(plan.study), "sqlite://", queue, "nothing had to run", console, None)

    assert ended() == 1, "two trainings are left to other processes"
    assert "stopped" not in console.export_text()
    queue.closed = "the limit of 1 CPU-hours leaves no room for more work"
    assert ended() == STOPPED
    text = console.export_text()
    assert "stopped: the limit of 1 CPU-hours leaves no room for more work" in text
    assert ("are left to another process: launch of small" in text) == beside
    queue.closed = None
    queue.waiting.clear()
    assert ended() == 0
    (first, _) = plan.stages
    Ledger(store_of(grid)).begin("train", first.id, {}).fail("ValueError: no", "", deterministic=True)
    assert ended() == 1, "the failure of another process"


def test_a_worker_and_a_sync_find_the_password_of_the_grid_file_and_a_worker_asks_for_it_before_it_works(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    launch = {"study": str(tmp_path / "study"), "tracking": "http://ada:hunter2@127.0.0.1:1"}
    recipe = {"name": "one_cycle", "lr": 0.1, "epochs": 1}
    grid = make(axes={}, protocols=[], explainers=[], base={"recipe": recipe}, launch=launch)
    write_plan(make_plan(grid), grid)
    path, moved = grid.yaml_source.path, tmp_path / "moved.yaml"
    console = Console(width=200, record=True, file=io.StringIO())
    path.rename(moved)
    with pytest.raises(BadInput, match=r"that of http://\*\*\*@127\.0\.0\.1:1 was not found in .*grid\.yaml"):
        pull_worker.work(Study(tmp_path / "study"), None, None, console)
    assert [stage.state for stage in make_plan(grid).stages] == ["run"]
    moved.rename(path)
    monkeypatch.chdir(tmp_path.parent)
    assert pull_worker.work(Study(tmp_path / "study"), None, None, console) == 0
    said = console.export_text()
    assert "1 stage ran" in said
    assert "http://***@127.0.0.1:1 cannot be reached or written to (no server answers)" in said
    with pytest.raises(TrackingUnreachable, match="no server answers"):
        sync(tmp_path / "study")
    assert drop(Study(tmp_path / "study"), {}, [], console)["dropped"] == []
