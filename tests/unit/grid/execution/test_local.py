"""The local executor: shards of a detection run in processes beside this one, everything else in this one."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import forked
import forked_children
import psutil
import pytest
import torch
from limited import limited
from small import SMALL

from datamodules.detection import Detections
from grid.execution.executor import LOST, Session
from grid.execution.job import Job, Outcome, RunOptions, jobs_of
from grid.execution.launch import whole_queue
from grid.execution.local import LocalExecutor, _is_shard
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.ledger.ledger import Ledger
from grid.ledger.lock import live_holder
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid
from grid.spec.launch_settings import Launch
from grid.spec.spending_limits import Limits
from grid.spec.stage_name import DETECT_SHARD
from grid.stages import train

Make = Callable[..., Grid]
DATA = {"name": "drawn", "subjects": 3, "shots": 4, "size": 64}


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    forked.context()
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    forked_children.install(monkeypatch)


@pytest.fixture
def detecting(make: Make) -> Callable[..., tuple[Grid, WorkQueue]]:
    """A grid with a detection of 12 images in shards of 5, and the queue of its detection alone."""

    def detecting(detector: Any, *overrides: str) -> tuple[Grid, WorkQueue]:
        base = {**SMALL["base"], "data": DATA, "detector": detector}
        grid = make("launch.detect_images=5", *overrides, axes={}, base=base, protocols=[], explainers=[])
        queue = whole_queue(make_plan(grid))
        queue.waiting = {id: work for id, work in queue.waiting.items() if "detect" in work.jobs[0].kind}
        return grid, queue

    return detecting


def table(grid: Grid) -> Detections:
    ledger = Ledger(store_of(grid))
    (stage,) = (stage for stage in make_plan(grid).stages if stage.stage == "detect")
    marker = ledger.marker("detect", stage.id)
    assert marker is not None
    return Detections.load(ledger.path(marker, "detections.parquet"))


def computed_in(grid: Grid, kind: str) -> set[int]:
    """The processes that computed stages of a kind."""
    return {json.loads(claim.read_text())["pid"] for claim in Path(store_of(grid), kind).glob("*/claims/*.json")}


@pytest.mark.usefixtures("forking")
def test_shards_run_at_the_same_time_and_give_the_table_of_one_process(
    detecting: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGRID_TEST_TOGETHER", str(tmp_path / "come"))
    (tmp_path / "come").mkdir()
    grid, queue = detecting("components.together")  # which goes on only if a second process comes
    rows: list[tuple[str, Any]] = []
    said: list[str] = []
    session = Session(queue, Ledger(store_of(grid)), lambda work, label, row: rows.append((label, dict(row))), say=said.append)
    LocalExecutor(grid.spec.launch).run(session)
    assert not queue.failed
    assert said == ["the shards of detections run in up to 2 processes beside this one"]
    assert len(queue.done) == 4, "three shards and the detection"
    assert len(computed_in(grid, "detect_shard")) == 2
    assert os.getpid() not in computed_in(grid, "detect_shard")
    assert computed_in(grid, "detect") == {os.getpid()}
    assert ("detect:data 3/3", {}) in rows
    assert ("detect:data 3/3", {"done": 2, "total": 2, "unit": "images"}) in rows

    alone, queue = detecting("mtcnn", f"launch.store={tmp_path / 'other'}", "launch.concurrency=1")
    LocalExecutor(alone.spec.launch).run(Session(queue, Ledger(store_of(alone)), say=pytest.fail))
    assert computed_in(alone, "detect_shard") == {os.getpid()}
    assert table(grid).digest == table(alone).digest
    assert table(grid).found.any()


def test_a_shard_whose_process_was_killed_is_detected_by_another(detecting: Any, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    grid, queue = detecting({"name": "components.fragile", "does": "kill_once", "folder": str(tmp_path / "calls")})
    said: list[str] = []
    LocalExecutor(grid.spec.launch).run(Session(queue, Ledger(store_of(grid)), say=said.append))
    assert not queue.failed
    assert len(table(grid)) == 12
    assert {call.read_text() for call in (tmp_path / "calls").iterdir()} == {"Lightning loaded: False"}
    (_, line) = said
    assert re.match("detect:data [12]/3, of detect:data", line)  # two start together, and either may be the one
    assert "its process was lost (killed by SIGKILL); it goes on in another one" in line


@pytest.mark.usefixtures("forking")
def test_a_shard_whose_process_always_dies_is_given_up(detecting: Any, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    lethal = {"name": "components.fragile", "does": "kill", "folder": str(tmp_path / "calls")}
    grid, queue = detecting(lethal, "launch.retries=0", "launch.detect_images=6")
    ledger = Ledger(store_of(grid))
    LocalExecutor(grid.spec.launch).run(Session(queue, ledger))
    shards = [id for id in queue.failed if ledger.failure("detect_shard", id)]
    assert len(shards) == 2
    assert "lost too often" in str(ledger.failure("detect_shard", shards[0]))
    assert len(list((tmp_path / "calls").iterdir())) == 2


@pytest.mark.usefixtures("forking")
def test_an_error_in_a_shard_is_recorded_with_its_line(detecting: Any, tmp_path: Path) -> None:
    grid, queue = detecting({"name": "components.fragile", "does": "raise", "folder": str(tmp_path)})
    LocalExecutor(grid.spec.launch).run(Session(queue, Ledger(store_of(grid))))
    shards = [line for id, line in queue.failed.items() if "-" in id]
    assert shards == 3 * ["no such face (components/fragile.py:44)"]


@pytest.mark.usefixtures("forking")
def test_an_interrupt_ends_the_processes_and_frees_their_stages(detecting: Any, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    grid, queue = detecting({"name": "components.fragile", "does": "wait", "folder": str(tmp_path / "calls")})
    ledger = Ledger(store_of(grid))

    def ctrl_c(work: Any, label: str, row: Any) -> None:
        for _ in iter(lambda: any((tmp_path / "calls").iterdir()), True):
            time.sleep(0.02)  # until a process detects faces
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalExecutor(grid.spec.launch).run(Session(queue, ledger, ctrl_c))
    begun = ledger.store.names("detect_shard")
    assert begun
    frees = list(Path(store_of(grid)).rglob("*.free"))
    assert frees, "the process ended by itself and let its stage go"
    assert all(live_holder(ledger.store, str(one.parent.relative_to(store_of(grid)))) is None for one in frees)


@pytest.mark.parametrize(
    ("launch", "options", "processes"),
    [
        ({}, {}, 4),
        ({"concurrency": 3}, {}, 3),
        ({"resources": {"cpus": 2}}, {}, 2),
        ({"resources": {"cpus": 8}}, {}, 1),
        ({}, {"raises": True}, 1),
        ({}, {"fast": True}, 1),
    ],
)
def test_as_many_processes_run_as_the_cores_and_the_grid_file_allow(
    make: Make, monkeypatch: pytest.MonkeyPatch, launch: dict[str, Any], options: dict[str, Any], processes: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3})
    executor = LocalExecutor(Launch.model_validate({"resources": {"gpus": 0}, **launch}), **options)
    assert executor.processes(Session(WorkQueue({}, set()), Ledger(store_of(make())))) == processes


def test_on_a_gpu_or_with_a_store_of_this_process_alone_one_shard_runs_at_a_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LocalExecutor(Launch())
    assert executor.processes(Session(WorkQueue({}, set()), Ledger("memory://test-local"))) == 1
    monkeypatch.setattr("grid.execution.local.accelerator", lambda: "gpu")
    executor = LocalExecutor(Launch())
    assert executor.processes(Session(WorkQueue({}, set()), Ledger(store_of(make())))) == 1


@pytest.mark.parametrize(("shared", "devices"), [(True, None), (False, 1)])
def test_a_store_of_this_process_alone_is_shared_with_no_other_device(
    make: Make, monkeypatch: pytest.MonkeyPatch, shared: bool, devices: int | None
) -> None:
    given: list[int | None] = []

    def performed(jobs: Sequence[Job], report: Any, options: RunOptions) -> dict[str, Outcome]:
        given.append(options.devices)
        return {job.id: Outcome("done") for job in jobs}

    monkeypatch.setattr("grid.execution.local.perform", performed)
    grid = make("launch.resources.gpus=0", axes={}, protocols=[], explainers=[])
    plan = make_plan(grid)
    queue = queue_of(plan, jobs_of(plan.stages, store_of(grid)))
    store = store_of(grid) if shared else "memory://test-devices"
    LocalExecutor(grid.spec.launch).run(Session(queue, Ledger(store)))
    assert given == [devices]


@pytest.mark.parametrize(
    ("settings", "fast", "said"),
    [
        (["compute.devices=2"], False, ["stages on several devices run in this process and 1 more"]),
        (["compute.devices=4", "launch.devices=3"], False, ["stages on several devices run in this process and up to 2 more"]),
        (["compute.devices=2"], True, []),
        ([], False, []),
    ],
)
def test_it_is_said_how_many_processes_stages_on_several_devices_take(
    make: Make, settings: list[str], fast: bool, said: list[str]
) -> None:
    grid = make("launch.resources.gpus=0", *settings, axes={}, explainers=[])
    lines: list[str] = []
    LocalExecutor(grid.spec.launch, fast=fast).check(
        Session(whole_queue(make_plan(grid)), Ledger(store_of(grid)), say=lines.append)
    )
    assert lines == said


def fails_first(monkeypatch: pytest.MonkeyPatch, errors: list[Exception]) -> None:
    """Each training raises one of the errors, as long as there are any."""
    train_run = train.run

    def run(config: Any, context: Any) -> Any:
        if errors:
            raise errors.pop()
        return train_run(config, context)

    monkeypatch.setattr(train, "run", run)


@pytest.mark.parametrize("times", [1, 2])
def test_a_stage_out_of_gpu_memory_is_tried_once_more_and_then_left_open(
    make: Make, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    fails_first(monkeypatch, [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")] * times)
    grid = make(axes={}, protocols=[], explainers=[])

    def launched() -> tuple[WorkQueue, list[str]]:
        queue, said = whole_queue(make_plan(grid)), list[str]()
        LocalExecutor(grid.spec.launch).run(Session(queue, Ledger(store_of(grid)), say=said.append))
        return queue, said

    queue, said = launched()
    ((id, claims),) = ((path.name, len(list(path.glob("claims/*.json")))) for path in Path(store_of(grid), "train").iterdir())
    assert claims == 2
    assert [line.partition(": ")[2] for line in said] == [
        "out of GPU memory; it is tried once more, now that this process has freed its own"
    ]
    assert Ledger(store_of(grid)).failure("train", id) is None
    if times == 1:
        assert not queue.failed
        return
    (error,) = queue.failed.values()
    assert error.startswith("train: out of GPU memory, recipe.batch_size ")
    assert "(OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB (" in error
    assert error.endswith("); if other processes use this GPU, launch again when they have ended")
    assert not launched()[0].failed, "the next launch computes it"


@pytest.mark.parametrize("times", [1, 2])
def test_a_stage_whose_loader_process_is_killed_is_tried_again_as_often_as_is_said(
    make: Make, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    killed = RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...")
    fails_first(monkeypatch, [killed] * times)
    grid = make("launch.retries=1", axes={}, protocols=[], explainers=[])
    queue, said = whole_queue(make_plan(grid)), list[str]()
    (work,) = queue.waiting.values()
    LocalExecutor(grid.spec.launch).run(Session(queue, Ledger(store_of(grid)), say=said.append))
    lost = "a loader process was lost (DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...)"
    advice = "if memory or /dev/shm is full, lower launch.workers"
    assert said == [f"{work.title}: {lost}; {advice}; it is tried again, a training from its last checkpoint"]
    failure = Ledger(store_of(grid)).failure("train", work.jobs[0].id)
    assert (failure and failure.error) == (None if times == 1 else f"{LOST} ({lost}; {advice})")
    assert failure is None or not failure.deterministic


def test_a_limit_that_leaves_no_room_for_shards_leaves_it_for_smaller_work(make: Make, tmp_path: Path) -> None:
    kinds = {"shard": DETECT_SHARD, "cell": "train"}
    works = {
        id: Work(id, id, (Job(kind, id, id, {}, {}, {}, "", str(tmp_path / "store")),), frozenset())
        for id, kind in kinds.items()
    }
    grid = make()
    session = limited(grid, WorkQueue(works, set(works), expected={"shard": 7200.0, "cell": 60.0}), Limits(cpu_hours=1.0))
    executor = LocalExecutor(grid.spec.launch)
    assert session.take(executor.reserved, partial(filter, _is_shard)) is None
    assert session.queue.closed is None
    taken = session.take(executor.reserved)
    assert taken is not None
    assert taken.id == "cell"
