"""Work whose process was lost or ran out of memory, and ended trials."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import cloudpickle
from tune_queue import searching, short, units

from grid.execution.executor import LOST, Session
from grid.execution.job import Job, Outcome
from grid.execution.perform import packed_outcomes
from grid.execution.ray_waiting import FirstStage
from grid.execution.ray_watch import ASKED_MOST, enlarged, forget, watch
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.stage_kind import stages_of
from grid.stages.ranks import RankLost

QUIET = FirstStage(lambda line: None, cluster=False)

CELL = {"data": {"name": "drawn", "subjects": 4, "shots": 4}, "backbone": "alexnet", "input": {"size": 64}}


def test_work_on_two_devices_grows_as_far_as_two_of_its_slots_fit(tmp_path: Path) -> None:
    cell = Cell.model_validate({**CELL, "compute": {"devices": 2}})
    stage = next(one for one in stages_of(cell, InputResolver(tmp_path / "resolver")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    job = Job(stage.kind, stage.id, stage.label, {}, stage.identity, config, "", str(tmp_path / "store"))
    work, said = Work(stage.id, "a cell", (job,), frozenset()), list[str]()
    session = Session(WorkQueue({}, set()), Ledger(tmp_path / "store"), say=said.append)
    slots = Slots({"CPU": 1}, [{"CPU": 4, "memory": 8 * 2.0**30}])
    grown = [enlarged(session, slots, work, "host") for _ in range(3)]
    assert grown == [True, True, False]
    assert said[-1] == "a cell: out of memory with 1 CPU, 2 GiB; it goes on with 1 CPU, 4 GiB"
    assert slots.of(work.id) == {"CPU": 1, "memory": 4 * 2**30}


def test_work_whose_process_never_started_is_left_open(tmp_path: Path) -> None:
    def ended(last: dict[str, Any], text: str) -> tuple[WorkQueue, Ledger]:
        searcher, queue = searching(tmp_path, 1, Slots({"CPU": 1}, [{"CPU": 1}]))
        searcher.suggest("trial")
        error = tmp_path / "error.txt"
        error.write_text(f"Failure # 1 (occurred at noon)\n{text}\n")
        trial = SimpleNamespace(config={"ids": '["0"]'}, last_result=last, pickled_error_file=None, error_file=str(error))
        ledger = Ledger(tmp_path / "store")
        watch(Session(queue, ledger), Slots({"CPU": 1}, [{"CPU": 1}]), 0, QUIET).on_trial_error(1, [], trial)
        return queue, ledger

    queue, ledger = ended({}, "Failed to set up runtime environment.")
    assert queue.failed["0"] == (
        "the process or node that ran it was lost too often (Failed to set up runtime environment.); "
        "launch again when processes can start"
    )
    assert ledger.failure("train", "0") is None
    queue, ledger = ended({}, "killed due to the node running low on memory")
    assert queue.failed["0"].startswith("out of memory with 1 CPU")
    assert ledger.failure("train", "0") is None
    queue, _ = ended({"stage": "train"}, "The actor died because its node has died. Node Id: ab")
    assert queue.failed == {}, "the loss of a node does not count"
    assert "0" in queue.waiting
    queue, ledger = ended({"stage": "train"}, "The actor is not schedulable")
    failure = ledger.failure("train", "0")
    assert failure is not None
    assert failure.error == queue.failed["0"]
    assert not failure.deterministic


def losing(tmp_path: Path, error: BaseException, retries: int) -> tuple[Any, WorkQueue, Callable[..., tuple[bool, bool]]]:
    """A watcher, its queue, and a loss of the process of its work: whether the work is tried again, or not decided yet."""
    slots = Slots({"CPU": 1}, [{"CPU": 1}])
    searcher, queue = searching(tmp_path, 1, slots)
    watcher = watch(Session(queue, Ledger(tmp_path / "store")), slots, retries, QUIET)
    file = tmp_path / "error.pkl"
    file.write_bytes(cloudpickle.dumps(error))

    def lose(*nodes: str) -> tuple[bool, bool]:
        searcher.suggest("trial")
        last = {"stage": "train", "node": nodes[0], "nodes": json.dumps(nodes if len(nodes) > 1 else [])}
        trial = SimpleNamespace(config={"ids": '["0"]'}, last_result=last, pickled_error_file=str(file), error_file=None)
        watcher.on_trial_error(1, [], trial)
        return "0" in queue.waiting, "0" in queue.running

    return watcher, queue, lose


def test_the_loss_of_a_rank_with_its_node_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = {"a", "b", "c"}
    monkeypatch.setattr("grid.execution.ray_losses._nodes", lambda: [{"NodeID": one, "Alive": True} for one in sorted(alive)])
    lost = ray.exceptions.RayTaskError("train", "", RankLost("the process of rank 1 of 2 was lost"))
    watcher, queue, lose = losing(tmp_path, lost, retries=1)
    assert lose("a", "b") == (True, False), "the first counts, as long as both nodes are there"
    alive -= {"b"}
    assert lose("a", "c") == (True, False), "now only this one counts"
    assert lose("a", "c") == (False, True)
    watcher.settle()
    assert "0" in queue.running, "Ray may notice a little later that its node is gone, for which nothing waits"
    alive -= {"c"}
    watcher.settle()
    assert "0" in queue.waiting
    assert lose("a", "a") == (True, False)
    assert lose("a", "a") == (False, True)
    monkeypatch.setattr("grid.execution.ray_watch.time.monotonic", lambda: float("inf"))
    watcher.settle()
    assert "rank 1 of 2 was lost" in queue.failed["0"], "two of two processes on a living node"


def test_a_process_that_was_asked_to_end_costs_no_try_unless_that_goes_on(tmp_path: Path) -> None:
    said = "Worker exits with an exit code 1. The process receives a SIGTERM."
    _, queue, lose = losing(tmp_path, ray.exceptions.RayActorError(error_msg=said), retries=1)
    assert [lose("a") for _ in range(ASKED_MOST + 1)] == [(True, False)] * (ASKED_MOST + 1)
    assert lose("a") == (False, False)
    assert queue.failed["0"] == LOST


def test_of_cells_whose_process_was_lost_each_goes_on_alone_and_no_loss_counts(tmp_path: Path) -> None:
    slots, said = Slots({"CPU": 1}, [{"CPU": 1}]), list[str]()
    searcher, queue, session = short(tmp_path, 8, slots)
    object.__setattr__(session, "say", said.append)
    watcher = watch(session, slots, 0, QUIET)
    assert units(searcher, "x") == ["0123"]
    error = tmp_path / "error.txt"
    error.write_text("Failure # 1 (occurred at noon)\nThe actor died\n")

    def lose(trial: str, ids: str) -> None:
        config = {"ids": json.dumps(list(ids))}
        last = {"stage": "train", "node": None}
        watcher.on_trial_error(
            1, [], SimpleNamespace(config=config, last_result=last, pickled_error_file=None, error_file=str(error))
        )
        searcher.on_trial_complete(trial, error=True)

    lose("x", "0123")
    assert (list(queue.waiting), queue.failed) == (list("01234567"), {})
    assert len(said) == 1
    assert said[0].startswith("4 units of work: their process or node was lost")
    assert said[0].endswith("; each goes on alone")
    assert units(searcher, "y") == ["0"]
    lose("y", "0")
    assert list(queue.failed) == ["0"], "lost alone, with no retry left"
    searcher.on_trial_complete("y", error=True)
    for trial, id in (("a", "1"), ("b", "2"), ("c", "3")):
        assert units(searcher, trial) == [id]
        searcher.on_trial_complete(trial, {"outcomes": packed_outcomes({id: Outcome("done")})})
    assert units(searcher, "d") == ["45"], "those that were not there go together"


def test_an_ended_trial_keeps_no_jobs(tmp_path: Path) -> None:
    from ray.train._internal.storage import StorageContext
    from ray.tune.experiment import Trial
    from ray.tune.registry import register_trainable

    register_trainable("nothing", lambda config: None)
    storage = StorageContext(str(tmp_path), "tune")
    trial = Trial("nothing", config={"units": "jobs " * 1000}, evaluated_params={"units": "jobs"}, storage=storage)
    trial.run_metadata.last_result = {"outcomes": "jobs"}
    assert "jobs" in repr(vars(trial))
    forget(trial)
    assert "jobs" not in repr(vars(trial)), "neither under the names that Tune has for itself"
