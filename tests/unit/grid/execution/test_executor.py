"""What executors receive and report, and how a grid file names one."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grid.execution.executor import Executor, Session, executor_of
from grid.execution.job import Begun, Job, Outcome, RunOptions, begin, jobs_of, lease_of, run
from grid.execution.launch import whole_queue
from grid.execution.local import LocalExecutor
from grid.execution.perform import (
    devices_of,
    packed_jobs,
    packed_outcomes,
    perform,
    unpacked_jobs,
    unpacked_outcomes,
    usable_devices_of,
)
from grid.execution.scheduler import WorkQueue, queue_of
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import BadInput, Grid
from grid.spec.launch_settings import Launch, StageResources
from grid.stages.context import Result


def queue(grid: Grid) -> WorkQueue:
    plan = make_plan(grid)
    return queue_of(plan, jobs_of(plan.stages, store_of(grid)))


def one(make: Callable[..., Grid]) -> Grid:
    return make(axes={}, protocols=[], explainers=[], base={"recipe": {"name": "one_cycle", "lr": 0.1, "epochs": 1}})


def test_the_local_executor_leaves_the_grid_done(make: Callable[..., Grid]) -> None:
    grid = one(make)
    board, rows, ended = queue(grid), [], []
    session = Session(board, Ledger(store_of(grid)), lambda work, label, row: rows.append((label, row)), ended.append)
    LocalExecutor(grid.spec.launch).run(session)
    assert session.finished
    assert (board.done, board.failed) == ([ended[0].id], {})
    assert rows[0] == ("train", {})
    assert any(row.get("epochs") == 1 for _, row in rows)
    assert [stage.state for stage in make_plan(grid).stages] == ["done"]


def test_an_executor_asks_whether_it_may_start_anything(make: Callable[..., Grid]) -> None:
    grid = one(make)

    def lost() -> None:
        raise RuntimeError("taken over")

    session = Session(queue(grid), Ledger(store_of(grid)), check=lost)
    with pytest.raises(RuntimeError, match="taken over"):
        LocalExecutor(grid.spec.launch).run(session)
    assert [stage.state for stage in make_plan(grid).stages] == ["run"]
    assert not (store_of(grid) / "train").exists()


def test_work_that_is_lost_is_recorded_and_needs_a_retry(make: Callable[..., Grid]) -> None:
    grid = one(make)
    board, ended = queue(grid), []
    session = Session(board, Ledger(store_of(grid)), ended=ended.append)
    work = session.take()
    assert work is not None
    session.lose(work)
    assert ended == [work]
    (stage,) = make_plan(grid).stages
    assert stage.state == "failed"
    assert "lost too often" in str(stage.reason)


def test_work_that_is_lost_while_another_launch_computes_it_is_not_recorded_as_failed(make: Callable[..., Grid]) -> None:
    grid = one(make)
    ledger = Ledger(store_of(grid))
    first, second = whole_queue(make_plan(grid)), whole_queue(make_plan(grid))
    session = Session(first, ledger)
    work = session.take()
    assert work is not None
    other = Session(second, ledger)
    same = other.take()
    assert same is not None
    (job,), (theirs,) = work.jobs, same.jobs
    assert job.launch != theirs.launch
    assert isinstance(begin(job, RunOptions()), Begun)
    with Lock(ledger.store, "another launch", prefix=lease_of(theirs)):
        begun = begin(theirs, RunOptions())
        assert isinstance(begun, Begun)
        session.lose(work)
        assert work.id in first.failed
        assert ledger.failure(job.kind, job.id) is None
        begun.attempt.check()
        other.lose(same)  # its process ran on another node, where its lease lasts for another minute
        assert ledger.failure(job.kind, job.id) is not None


def test_jobs_and_outcomes_travel_as_text(make: Callable[..., Grid]) -> None:
    (work,) = queue(one(make)).waiting.values()
    assert unpacked_jobs(packed_jobs(work.jobs)) == list(work.jobs)
    outcomes = {
        "a": Outcome("done", elsewhere=True),
        "b": Outcome("damaged", "gone", ("train", "c")),
        "d": Outcome("failed", "why"),
    }
    assert unpacked_outcomes(packed_outcomes(outcomes)) == outcomes


def test_the_exit_that_lightning_makes_of_an_interruption_is_one_again(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = list(jobs_of(make_plan(make()).stages, store_of(make())).values())[:1]

    def training(*_: object) -> Outcome:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    monkeypatch.setattr("grid.execution.perform.run", training)
    with pytest.raises(KeyboardInterrupt):
        perform(jobs, lambda label, row: None)


@pytest.mark.parametrize(("ended", "ran"), [("stopped", ["a"]), ("rescaled", ["a"]), ("failed", ["a", "c"])])
def test_a_process_that_is_to_end_begins_no_further_stage(
    ended: str, ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training of a decoder fails alone, but where it was stopped, nothing else of the cell begins."""
    jobs = [
        Job("decode", id, id, dict.fromkeys(needs, "decode"), {}, {}, "", str(tmp_path))
        for id, needs in {"a": "", "b": "a", "c": ""}.items()
    ]
    monkeypatch.setattr("grid.execution.perform.run", lambda job, options: Outcome(ended if job.id == "a" else "done"))
    assert list(perform(jobs, lambda label, row: None)) == ran


def test_an_error_outside_the_stage_ends_the_work_and_names_it(make: Callable[..., Grid], tmp_path: Path) -> None:
    (work,) = queue(one(make)).waiting.values()
    (tmp_path / "file").write_text("no folder")
    jobs = unpacked_jobs(packed_jobs(work.jobs).replace(str(work.jobs[0].store), str(tmp_path / "file" / "store")))
    said: list[Any] = []
    outcomes = perform(jobs, lambda label, row: said.append(label))
    assert "NotADirectoryError" in str(outcomes[jobs[0].id].error)
    with pytest.raises(NotADirectoryError):
        perform(jobs, partial(lambda label, row: None), RunOptions(raises=True))


class Own(Executor):
    def run(self, session: Session) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("slurm", "'slurm' is no executor; known are ray, local and the dotted path"),
        ("nowhere.Executor", "'nowhere.Executor' cannot be imported"),
        ("json.JSONDecoder", "derives from grid.execution.executor.Executor"),
        ("json.nothing", "derives from grid.execution.executor.Executor"),
    ],
)
def test_a_name_of_no_executor_is_refused_with_what_is_known(name: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        executor_of(Launch(executor=name))


def test_executors_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "my_executors", SimpleNamespace(Own=Own))  # type: ignore[arg-type]
    assert type(executor_of(Launch(executor="my_executors.Own"))) is Own
    assert type(executor_of(Launch(executor="local"))) is LocalExecutor
    assert type(executor_of(Launch())).__name__ == "RayExecutor"
    with pytest.raises(BadInput, match="leave one out"):
        executor_of(Launch(executor="local", address="auto"))


def test_what_another_launch_computed_meanwhile_is_told_apart(make: Callable[..., Grid]) -> None:
    grid = make(axes={"seed": {"zero": {"seed": 0}, "one": {"seed": 1}, "two": {"seed": 2}}}, protocols=[], explainers=[])
    plan = make_plan(grid)
    jobs = jobs_of(plan.stages, store_of(grid), launch="this")
    board = queue_of(plan, jobs)
    theirs, earlier, _ = jobs.values()
    other = replace(theirs, launch="other")
    assert run(other, RunOptions()) == run(other, RunOptions()) == Outcome("done")
    assert run(theirs, RunOptions()) == Outcome("done", elsewhere=True), "as after a wait for its lease"
    assert run(earlier, RunOptions()) == Outcome("done"), "an attempt of this launch, whose process was then lost"
    LocalExecutor(grid.spec.launch).run(Session(board, Ledger(store_of(grid))))
    assert len(board.done) == 3
    assert board.elsewhere == {theirs.id}


BOOM = """
from typing import Any, Literal

from configs.data_interfaces import AugmentationConfig


class BoomConfig(AugmentationConfig):
    name: Literal["my_lab.boom"] = "my_lab.boom"

    def build(self) -> Any:
        raise RuntimeError("boom in my augmentation")
"""


def test_an_evaluation_uses_the_devices_of_its_cell_where_there_is_room_and_needs_one(make: Callable[..., Grid]) -> None:
    grid = make("compute.devices=3", axes={}, explainers=[])
    (work,) = queue(grid).waiting.values()
    train, evaluate = work.jobs
    ledger = Ledger(store_of(grid))
    assert [(job.devices, job.usable_devices) for job in (train, evaluate)] == [(3, 3), (1, 3)]
    assert replace(evaluate, ranks=2).usable_devices == 2
    assert [usable_devices_of([evaluate], ledger, room) for room in (0, 1, 2, 9)] == [1, 1, 2, 3]
    assert usable_devices_of(work.jobs, ledger, 1) == devices_of(work.jobs, ledger) == 3, "a training cannot do with fewer"
    assert devices_of([evaluate], ledger) == 1
    executor = LocalExecutor(grid.spec.launch)
    assert executor.reserved(work)["CPU"] == 3
    assert executor.reserved(replace(work, jobs=(evaluate,)))["CPU"] == 3
    executor.options = replace(executor.options, devices=2)
    assert executor.reserved(replace(work, jobs=(evaluate,)))["CPU"] == 2
    (alone,) = queue(make(axes={}, explainers=[])).waiting.values()
    assert {job.usable_devices for job in alone.jobs} == {1}


@pytest.mark.parametrize(("fewest", "taken"), [(1, [1, 1, 2, 3]), (2, [2, 2, 2, 3]), (9, [3, 3, 3, 3])])
def test_a_training_that_can_do_with_fewer_devices_takes_those_that_there_is_room_for(
    make: Callable[..., Grid], fewest: int, taken: list[int]
) -> None:
    grid = make("compute.devices=3", axes={}, explainers=[])
    (work,) = queue(grid).waiting.values()
    work = replace(work, jobs=tuple(replace(job, fewest=fewest) for job in work.jobs))
    train, evaluate = work.jobs
    ledger = Ledger(store_of(grid))
    assert (train.devices, train.usable_devices, evaluate.devices) == (min(fewest, 3), 3, 1)
    assert [usable_devices_of(work.jobs, ledger, room) for room in (0, 1, 2, 9)] == taken
    session = Session(WorkQueue({work.id: work}, set()), ledger)
    assert (session.devices, session.usable_devices) == (min(fewest, 3), 3)
    executor = LocalExecutor(grid.spec.launch)
    executor.options = replace(executor.options, accelerator="gpu", devices=2)  # of this machine
    assert executor.reserved(work) == {"CPU": float(taken[2]), "GPU": float(taken[2])}
    if fewest == 9:
        with pytest.raises(BadInput, match=r"compute\.devices is 3, and this machine has 2 GPU"):
            executor.check(session)
    else:
        executor.check(session)


def test_a_claim_and_a_marker_have_the_devices_of_a_training(make: Callable[..., Grid]) -> None:
    grid = make("compute.devices=2", axes={}, explainers=[])
    ledger = Ledger(store_of(grid))
    (work,) = queue(grid).waiting.values()
    train = replace(work.jobs[0], fewest=1)
    begun = begin(train, RunOptions(devices=1))
    assert isinstance(begun, Begun)
    (claim,) = ledger.claims(train.kind, train.id)
    assert (claim["devices"], claim["cell_devices"]) == (1, 2)
    begun.commit(Result({}, ()), RunOptions(devices=1))
    marker = ledger.marker(train.kind, train.id)
    assert marker is not None
    assert marker.environment["devices"] == 1
    assert train.counted_devices(RunOptions()) == {"devices": 2, "cell_devices": 2}
    assert train.counted_devices(RunOptions(fast=True)) == {"devices": 1, "cell_devices": 2}
    assert replace(train, ranks=4, fewest=None).counted_devices(RunOptions()) == {"devices": 4, "cell_devices": 2}
    assert work.jobs[1].counted_devices(RunOptions()) == {}, "an evaluation has the numbers of one device in any case"
    (alone,) = queue(make(axes={}, explainers=[])).waiting.values()
    assert {str(job.counted_devices(RunOptions())) for job in alone.jobs} == {"{}"}


def test_a_context_has_the_devices_that_were_reserved(make: Callable[..., Grid]) -> None:
    grid = make("compute.devices=3", axes={}, explainers=[])
    (work,) = queue(grid).waiting.values()

    def devices(kind: str, reserved: int | None) -> int:
        job = next(job for job in work.jobs if job.kind == kind)
        attempt = Ledger(store_of(grid)).begin(job.kind, job.id, job.identity)
        found: int = Begun(job, job.configs(), [], attempt).context(RunOptions(devices=reserved)).devices
        return found

    begun = replace(next(job for job in work.jobs if job.kind == "evaluate"), inputs={})
    work = replace(work, jobs=(work.jobs[0], begun))
    assert [devices("evaluate", reserved) for reserved in (None, 1, 2, 8)] == [3, 1, 2, 3]
    assert [devices("train", reserved) for reserved in (None, 1)] == [3, 3]


def test_a_stage_that_fails_in_a_user_s_file_is_recorded_with_its_line(
    make: Callable[..., Grid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "boom.py").write_text(BOOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    grid = make(axes={}, protocols=[], explainers=[], base={"augmentation": "my_lab.boom"})
    session = Session(queue(grid), Ledger(store_of(grid)))
    LocalExecutor(grid.spec.launch).run(session)
    (line,) = session.queue.failed.values()
    assert line == "RuntimeError: boom in my augmentation (my_lab/boom.py:11)"
    (stage,) = make_plan(grid).stages
    assert (stage.state, stage.reason) == ("failed", line)


def test_in_this_process_resources_of_stages_are_said_to_be_unused() -> None:
    launch = Launch.model_validate({"executor": "local", "resources": {"gpus": 0}})
    assert LocalExecutor(launch).where() == "in this process on the CPU"
    detect = {"stage_resources": {"detect": StageResources(gpus=0)}}
    assert (
        LocalExecutor(launch.model_copy(update=detect))
        .where()
        .endswith("; launch.stage_resources is not used by executor: local")
    )


def test_in_this_process_nothing_is_measured() -> None:
    launch = Launch.model_validate({"executor": "local", "resources": {"gpus": 0, "memory_gib": "measured"}})
    assert LocalExecutor(launch).where() == "in this process on the CPU; nothing is reserved, so no memory is measured"
