"""In which order the stages of a unit of work reserve GPUs, and how it goes on after each group of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from grid.execution.executor import Session
from grid.execution.job import Job, Outcome, jobs_of
from grid.execution.phases import Phases, phases, units_of
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid

NODES = [{"CPU": 8.0, "GPU": 4.0}]
ON_GPU = {"CPU": 1.0, "GPU": 1.0}
DONE = Outcome("done")


def job(id: str, kind: str, *needs: str, devices: int = 1) -> Job:
    config: dict[str, Any] = {"training": {"compute": {"devices": devices}}}
    return Job(kind, id, id, dict.fromkeys(needs, "any"), {}, config, "", "memory://phases")


def kinds(jobs: list[Job], slots: Slots) -> list[list[str]]:
    return [[one.id for one in phase] for phase in phases(jobs, slots)]


TRAIN, EVALUATE = job("train", "train"), job("evaluate", "evaluate", "train")
EXPLAIN, RATES = job("explain", "explain", "train"), job("rates", "differentials", "evaluate")
LATENT = job("latent", "latent", "train")


def test_stages_that_need_no_gpu_come_last() -> None:
    slots = Slots(ON_GPU, NODES, {"differentials": {"CPU": 1.0}})
    assert kinds([TRAIN, EVALUATE, RATES, LATENT], slots) == [["train", "evaluate", "latent"], ["rates"]]
    needs_rates = job("latent", "latent", "rates")
    assert kinds([TRAIN, EVALUATE, RATES, needs_rates], slots) == [["train", "evaluate", "rates", "latent"]]
    assert kinds([TRAIN, EVALUATE, RATES], Slots({"CPU": 1.0}, NODES)) == [["train", "evaluate", "rates"]], "no GPUs"
    assert kinds([RATES], slots) == [["rates"]]


def test_stages_that_need_a_smaller_part_or_fewer_gpus_come_later() -> None:
    slots = Slots({"CPU": 1.0, "GPU": 0.25}, NODES, {"train": ON_GPU, "differentials": {"CPU": 1.0}})
    assert kinds([TRAIN, EVALUATE, EXPLAIN, RATES], slots) == [["train"], ["evaluate", "explain"], ["rates"]]
    two = [job("train", "train", devices=2), job("evaluate", "evaluate", "train", devices=2)]
    explain = job("explain", "explain", "train", devices=2)
    assert kinds([*two, explain], Slots(ON_GPU, NODES)) == [["train", "evaluate"], ["explain"]]
    assert kinds([*two, explain], Slots({"CPU": 1.0}, NODES)) == [["train", "evaluate", "explain"]]
    assert kinds([two[0], explain], Slots(ON_GPU, [{"CPU": 1.0, "GPU": 1.0}])) == [["train"], ["explain"]], "it needs two"


def test_each_phase_must_have_room_on_a_node(make: Callable[..., Grid]) -> None:
    grid = make(axes={"count": {"one": {}, "two": {"compute.devices": 2}}}, explainers=[])
    plan = make_plan(grid)
    board = queue_of(plan, jobs_of(plan.stages, store_of(grid)))
    session = Session(board, Ledger(store_of(grid)))
    one, alike = Slots(ON_GPU, NODES, {"evaluate": {"CPU": 4.0}}), Slots(ON_GPU, NODES)
    assert list(units_of(session, alike)) == [(("train", "evaluate"), 1), (("train", "evaluate"), 2)]
    assert list(units_of(session, one)) == [(("train",), 1), (("evaluate",), 1), (("train",), 2)]
    board.missing -= {job.id for work in board.waiting.values() for job in work.jobs if job.kind == "train"}
    assert list(units_of(session, alike)) == [(("evaluate",), 1)]


def unit(*jobs: Job) -> tuple[Phases, Work, WorkQueue]:
    """A unit of work whose differentials hold no GPU, running."""
    work = Work("cell", "cell", jobs, frozenset())
    queue = WorkQueue({"cell": work}, {one.id for one in jobs})
    queue.start(work)
    slots = Slots(ON_GPU, NODES, {"differentials": {"CPU": 1.0}})
    return Phases(slots, Ledger("memory://phases")), work, queue


def ended(found: Phases, work: Work, queue: WorkQueue, **outcomes: Outcome) -> None:
    """The work ends so; if it goes on, it is started again."""
    queue.end(work.id, found.end(work, outcomes))
    if work.id in queue.waiting:
        queue.start(work)


def test_the_work_goes_on_without_the_gpu_and_is_done_after_its_last_phase() -> None:
    found, work, queue = unit(TRAIN, EVALUATE, RATES)
    assert [one.id for one in found.jobs(work)] == ["train", "evaluate"]
    assert (found.piece(work).slot, found.known(work)) == (ON_GPU, True)
    ended(found, work, queue, train=DONE, evaluate=DONE)
    assert (queue.done, queue.missing, list(queue.running), found.known(work)) == ([], {"rates"}, ["cell"], False)
    assert "GPU" in found.piece(work).slot, "this test's ledger has no results, so the training would run once more"
    ended(found, work, queue, rates=DONE)
    assert (queue.done, queue.missing) == (["cell"], set())


def test_a_failed_explanation_stops_neither_the_later_phases_nor_is_it_forgotten() -> None:
    score = job("score", "score", "explain")
    found, work, queue = unit(TRAIN, EXPLAIN, score, RATES)
    ended(found, work, queue, train=DONE, explain=Outcome("failed", "no maps"))
    assert list(queue.running) == ["cell"]
    assert [one.id for one in found.jobs(work)] == ["train"], "not what failed, nor what needs it"
    ended(found, work, queue, rates=DONE)
    assert (queue.failed, queue.done) == ({"cell": "no maps"}, [])


def test_a_failed_training_ends_the_work() -> None:
    found, work, queue = unit(TRAIN, EVALUATE, RATES)
    ended(found, work, queue, train=Outcome("failed", "NaN"))
    assert queue.failed == {"cell": "NaN"}


def test_a_training_that_grows_gives_its_further_gpus_back_later() -> None:
    two = [replace(job(kind, kind, *needs, devices=2), fewest=1) for kind, needs in (("train", ()), ("explain", ("train",)))]
    found, work, queue = unit(*two)
    found.slots.nodes = [{"CPU": 8.0, "GPU": 1.0}]
    assert [one.id for one in found.jobs(work)] == ["train", "explain"]
    found.slots.nodes = NODES
    ended(found, work, queue, train=Outcome("rescaled"))
    assert [one.id for one in found.jobs(work)] == ["train"]
    assert found.piece(work).devices == 2


def test_work_that_is_put_back_for_another_reason_stays_in_its_phase() -> None:
    found, work, queue = unit(TRAIN, EVALUATE, RATES)
    found.piece(work)
    ended(found, work, queue, train=Outcome("no_gpu_memory"))
    assert (list(queue.running), found.known(work), queue.failed) == (["cell"], True, {})
    ended(found, work, queue, train=DONE, evaluate=Outcome("damaged", "its marker is gone", ("train", "train")))
    assert not found.known(work), "the stage of an earlier phase may have to run again"
