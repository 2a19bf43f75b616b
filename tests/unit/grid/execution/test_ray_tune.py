"""What a worker makes of errors that no stage raised."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import cloudpickle, tune

from grid.execution.executor import Session
from grid.execution.job import Job, Outcome
from grid.execution.perform import packed_outcomes, packed_units
from grid.execution.ray_health import RayLost
from grid.execution.ray_tune import _callback, _enlarged, _fit, _searcher, _trial, forget
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.plan.code_version import source_digest
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import stages_of
from grid.stages.ranks import RankLost

CELL = {"data": {"name": "drawn", "subjects": 4, "shots": 4}, "backbone": "alexnet", "input": {"size": 64}}


def test_a_store_that_cannot_be_written_is_said_and_is_no_lost_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)
    file = tmp_path / "file"
    file.write_text("no folder")
    stage = next(
        stage for stage in stages_of(Cell.model_validate(CELL), InputResolver(tmp_path / "resolver")) if stage.kind == "train"
    )
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    source = source_digest(stage.kind, stage.config.values())
    job = Job(stage.kind, stage.id, stage.label, {}, stage.identity, config, source, str(file / "store"))
    _trial({"ids": json.dumps(["cell"]), "units": packed_units([[job]])})
    outcome = json.loads(said[-1]["outcomes"])[stage.id]
    assert outcome["ended"] == "failed"
    assert "NotADirectoryError" in outcome["error"]


def test_a_score_of_an_explanation_that_just_failed_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(job: Job, around: Any) -> Outcome:
        ran.append(job.label)
        return Outcome("failed", "no") if job.label.endswith("gradcam") else Outcome("done")

    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)
    monkeypatch.setattr("grid.execution.perform.run", run)
    explainers = [{"name": "gradcam", "scores": ["sanity"]}, {"name": "rise", "scores": ["sanity"]}]
    stages = stages_of(Cell.model_validate({**CELL, "explainers": explainers}), InputResolver(tmp_path / "resolver"))
    kinds = {stage.id: stage.kind for stage in stages}
    jobs = [
        Job(one.kind, one.id, one.label, {need: kinds[need] for need in one.needs}, {}, {}, "", str(tmp_path / "store"))
        for one in stages
    ]
    _trial({"ids": json.dumps(["cell"]), "units": packed_units([jobs])})
    assert ran == ["train", "explain:gradcam", "explain:rise", "score:rise:sanity"]
    assert len(json.loads(said[-1]["outcomes"])) == 4


def test_work_on_two_devices_grows_as_far_as_two_of_its_slots_fit(tmp_path: Path) -> None:
    cell = Cell.model_validate({**CELL, "compute": {"devices": 2}})
    stage = next(one for one in stages_of(cell, InputResolver(tmp_path / "resolver")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    job = Job(stage.kind, stage.id, stage.label, {}, stage.identity, config, "", str(tmp_path / "store"))
    work, said = Work(stage.id, "a cell", (job,), frozenset()), list[str]()
    session = Session(WorkQueue({}, set()), Ledger(tmp_path / "store"), say=said.append)
    slots = Slots({"CPU": 1}, [{"CPU": 4, "memory": 8 * 2.0**30}])
    grown = [_enlarged(session, slots, work, "host") for _ in range(3)]
    assert grown == [True, True, False]
    assert said[-1] == "a cell: out of memory with 1 CPU, 2 GiB; it goes on with 1 CPU, 4 GiB"
    assert slots.of(work.id) == {"CPU": 1, "memory": 4 * 2**30}


@pytest.mark.parametrize(("cpus", "devices"), [(1, 1), (2, 2), (9, 2)])
def test_an_evaluation_alone_asks_for_as_many_devices_as_there_is_room_for(tmp_path: Path, cpus: int, devices: int) -> None:
    cell = Cell.model_validate({**CELL, "compute": {"devices": 2}, "protocols": [{"name": "drawn"}]})
    (stage,) = (one for one in stages_of(cell, InputResolver(tmp_path / "resolver")) if one.kind == "evaluate")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    job = Job(stage.kind, stage.id, stage.label, {}, stage.identity, config, "", str(tmp_path / "store"))
    queue = WorkQueue({"0": Work("0", "0", (job,), frozenset())}, {"0"})
    session = Session(queue, Ledger(tmp_path / "store"))
    found = _searcher(session, Slots({"CPU": 1}, [{"CPU": cpus}]), Launch()).suggest("trial")
    assert found["devices"] == devices


def elastic(tmp_path: Path, slots: Slots, **launch: Any) -> tuple[Any, WorkQueue, list[str]]:
    """Tune's view of two trainings on up to two devices, ``0`` and ``1``, and what is said."""
    cell = Cell.model_validate({**CELL, "compute": {"devices": 2}})
    stage = next(one for one in stages_of(cell, InputResolver(tmp_path / "resolver")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    found = Launch.model_validate({"address": "auto", **launch})
    jobs = [
        Job(stage.kind, id, id, {}, {}, config, "", str(tmp_path / "store"), ranks=found.ranks, fewest=found.fewest_devices)
        for id in "01"
    ]
    queue, said = WorkQueue({job.id: Work(job.id, job.id, (job,), frozenset()) for job in jobs}, set("01")), list[str]()
    return _searcher(Session(queue, Ledger(tmp_path / "store"), say=said.append), slots, found), queue, said


def test_a_training_takes_what_the_nodes_can_hold_when_empty_and_is_placed_again_when_one_is_lost(tmp_path: Path) -> None:
    node = {"CPU": 1.0}
    slots = Slots(node, [node, node])
    searcher, queue, said = elastic(tmp_path, slots, devices="auto")
    assert [searcher.suggest(trial)["devices"] for trial in "xy"] == [2, 2], "the second waits for both, it does not take one"
    assert said == []
    assert searcher.fits("y")
    slots.nodes = [node]
    assert not searcher.fits("y")
    searcher.withdraw("y")
    searcher.on_trial_complete("y")
    assert (list(queue.waiting), list(queue.running), queue.failed) == (["1"], ["0"], {})
    found = searcher.suggest("z")
    assert (found["ids"], found["devices"]) == ('["1"]', 1)
    assert said == ["1: on 1 of 2 devices: the nodes have room for no more"]
    assert searcher.fits("z")
    slots.nodes = [node, node]
    assert not searcher.fits("z"), "it has not begun, so it may as well take both"
    slots.nodes = []
    assert searcher.fits("z"), "it waits for a node"
    searcher.on_trial_complete("z", {"outcomes": packed_outcomes({"1": Outcome("done")})})
    assert queue.done == ["1"], "an ended trial is not taken back"


@pytest.mark.parametrize("devices", [None, {"at_least": 2}])
def test_a_training_that_needs_all_its_devices_waits_for_them(tmp_path: Path, devices: Any) -> None:
    slots = Slots({"CPU": 1.0}, [{"CPU": 2.0}])
    searcher, _, said = elastic(tmp_path, slots, devices=devices)
    assert searcher.suggest("x")["devices"] == 2
    assert said == []
    slots.nodes = [{"CPU": 1.0}]
    assert searcher.fits("x")
    searcher.keep("x")
    assert searcher.suggest("y")["devices"] == 2
    assert said == [f"{id}: waits for 2 devices: the nodes have room for 1" for id in "01"]


def searching(tmp_path: Path, count: int, slots: Slots, **launch: Any) -> tuple[Any, WorkQueue]:
    """Tune's view of a queue of that many cells, ``0``, ``1``, ..."""
    ids = [str(number) for number in range(count)]
    jobs = {id: Job("train", id, id, {}, {}, {}, "", str(tmp_path / "store")) for id in ids}
    queue = WorkQueue({id: Work(id, id, (job,), frozenset()) for id, job in jobs.items()}, set(ids))
    session = Session(queue, Ledger(tmp_path / "store"))
    return _searcher(session, slots, Launch.model_validate(launch)), queue


def given(searcher: Any) -> list[str]:
    """What Tune is given until there is nothing for it at the moment."""
    found = []
    while config := searcher.suggest(f"trial {len(found)}"):
        found += json.loads(config["ids"])
    return found


def test_on_this_machine_one_unit_of_work_waits_for_room_and_the_others_can_still_change_their_order(tmp_path: Path) -> None:
    searcher, queue = searching(tmp_path, 6, Slots({"CPU": 1}, [{"CPU": 2}]))
    assert given(searcher) == ["0", "1", "2"]
    queue.reorder({"3": 1.0, "4": 2.0, "5": 9.0})
    queue.end("1", {"1": Outcome("done")})
    assert given(searcher) == ["5"]
    elsewhere, _ = searching(tmp_path, 6, Slots({"CPU": 1}, [{"CPU": 2}]), address="auto")
    assert given(elsewhere) == list("012345"), "a cluster grows for what waits"


def test_while_one_waits_for_much_room_others_fill_what_is_free(tmp_path: Path) -> None:
    slots = Slots({"CPU": 1}, [{"CPU": 4}])
    for id, cpus in {"0": 3.0, "1": 2.0, "2": 4.0, "3": 1.0, "4": 1.0}.items():
        slots._slots[id] = {"CPU": cpus}
    searcher, queue = searching(tmp_path, 5, slots)
    assert given(searcher) == ["0", "1", "3"], "the second waits, the fourth has room beside the first"
    queue.end("0", {"0": Outcome("done")})
    assert given(searcher) == ["2", "4"], "the third waits now, the last has room beside the second and the fourth"


def test_an_error_that_tune_does_not_expect_ends_the_launch_in_one_line() -> None:
    class Tuner:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def fit(self) -> None:
            raise RuntimeError("Caught unexpected exception") from self.error

    with pytest.raises(RayLost, match=r"^Ray failed: the node ran low on memory; finished stages .* the same command goes on$"):
        _fit(Tuner(ray.exceptions.OutOfMemoryError("the node\nran low on memory")))
    with pytest.raises(RuntimeError, match="unexpected") as raised:
        _fit(Tuner(KeyError("a fault of our own")))
    assert not isinstance(raised.value, RayLost)


def test_work_whose_process_never_started_is_left_open(tmp_path: Path) -> None:
    def ended(last: dict[str, Any], text: str) -> tuple[WorkQueue, Ledger]:
        searcher, queue = searching(tmp_path, 1, Slots({"CPU": 1}, [{"CPU": 1}]))
        searcher.suggest("trial")
        error = tmp_path / "error.txt"
        error.write_text(f"Failure # 1 (occurred at noon)\n{text}\n")
        trial = SimpleNamespace(config={"ids": '["0"]'}, last_result=last, pickled_error_file=None, error_file=str(error))
        ledger = Ledger(tmp_path / "store")
        _callback(Session(queue, ledger), Slots({"CPU": 1}, [{"CPU": 1}]), 0).on_trial_error(1, [], trial)
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


def test_the_loss_of_a_rank_with_its_node_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive, late, looks = {"a", "b", "c"}, set[str](), list[int]()

    def look() -> list[dict[str, Any]]:
        looks.append(1)
        if len(looks) > 4:  # Ray has noticed
            alive.difference_update(late)
        return [{"NodeID": one, "Alive": True} for one in sorted(alive)]

    monkeypatch.setattr("grid.execution.ray_losses._nodes", look)
    monkeypatch.setattr("grid.execution.ray_losses.POLL", 0.0)
    monkeypatch.setattr("grid.execution.ray_tune.NOTICED", 0.05)
    slots = Slots({"CPU": 1}, [{"CPU": 1}])
    searcher, queue = searching(tmp_path, 1, slots)
    watch = _callback(Session(queue, Ledger(tmp_path / "store")), slots, 1)
    lost = ray.exceptions.RayTaskError("train", "", RankLost("the process of rank 1 of 2 was lost"))
    error = tmp_path / "error.pkl"
    error.write_bytes(cloudpickle.dumps(lost))

    def lose(*nodes: str) -> bool:
        """Whether the work is tried again."""
        searcher.suggest("trial")
        last = {"stage": "train", "node": nodes[0], "nodes": json.dumps(nodes)}
        trial = SimpleNamespace(config={"ids": '["0"]'}, last_result=last, pickled_error_file=str(error), error_file=None)
        watch.on_trial_error(1, [], trial)
        return "0" in queue.waiting

    assert lose("a", "b"), "the first counts, as long as both nodes are there"
    alive -= {"b"}
    assert lose("a", "c"), "now only this one counts"
    late.add("c")
    looks.clear()
    assert lose("a", "c"), "its node is gone, which Ray notices a little later"
    assert len(looks) > 4
    assert lose("a", "a")
    assert not lose("a", "a"), "two of two processes on a living node"
    assert "rank 1 of 2 was lost" in queue.failed["0"]


def short(tmp_path: Path, count: int, slots: Slots, **launch: Any) -> tuple[Any, WorkQueue, Session]:
    """Like ``searching``, with cells that take a hundredth of a second."""
    searcher, queue = searching(tmp_path, count, slots, **launch)
    queue.measured = lambda job: 0.01
    session = next(cell.cell_contents for cell in searcher.suggest.__closure__ if isinstance(cell.cell_contents, Session))
    return searcher, queue, session


def units(searcher: Any, *trials: str) -> list[str]:
    """The units of work of each trial; empty if there is nothing for it."""
    return ["".join(json.loads((searcher.suggest(trial) or {"ids": "[]"})["ids"])) for trial in trials]


def test_short_cells_go_together_as_far_as_every_process_has_its_share(tmp_path: Path) -> None:
    searcher, queue, _ = short(tmp_path, 10, Slots({"CPU": 1}, [{"CPU": 2}]))
    assert units(searcher, "x", "y", "z") == ["01", "23", "4"]
    assert list(queue.running) == list("01234")
    done = {id: Outcome("done") for id in "01"}
    searcher.on_trial_complete("x", {"outcomes": packed_outcomes(done)})
    assert list(queue.done) == ["0", "1"]
    assert list(queue.running) == ["2", "3", "4"]


def test_cells_that_were_not_begun_wait_again_and_go_first(tmp_path: Path) -> None:
    searcher, queue, _ = short(tmp_path, 8, Slots({"CPU": 1}, [{"CPU": 1}]))
    assert units(searcher, "x") == ["0123"]
    searcher.on_trial_complete("x", {"outcomes": packed_outcomes({"0": Outcome("done"), "1": Outcome("failed", "no")})})
    assert (queue.done, queue.failed) == (["0"], {"1": "no"})
    assert sorted(list(queue.waiting)[:2]) == ["2", "3"]


def test_cells_of_other_slots_and_with_a_limit_of_spending_go_alone(tmp_path: Path) -> None:
    slots = Slots({"CPU": 1}, [{"CPU": 2}])
    slots._slots["1"] = {"CPU": 2.0}
    searcher, _, _ = short(tmp_path, 8, slots)
    assert units(searcher, "x") == ["0"]
    searcher, _, session = short(tmp_path, 8, Slots({"CPU": 1}, [{"CPU": 2}]))
    limit = SimpleNamespace(allows=lambda *words: True, begin=lambda *words: None)
    object.__setattr__(session, "limit", limit)
    assert units(searcher, "x") == ["0"]


def test_of_cells_whose_process_was_lost_each_goes_on_alone_and_no_loss_counts(tmp_path: Path) -> None:
    slots, said = Slots({"CPU": 1}, [{"CPU": 1}]), list[str]()
    searcher, queue, session = short(tmp_path, 8, slots)
    object.__setattr__(session, "say", said.append)
    watch = _callback(session, slots, 0)
    assert units(searcher, "x") == ["0123"]
    error = tmp_path / "error.txt"
    error.write_text("Failure # 1 (occurred at noon)\nThe actor died\n")

    def lose(trial: str, ids: str) -> None:
        config = {"ids": json.dumps(list(ids))}
        last = {"stage": "train", "node": None}
        watch.on_trial_error(
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


def test_a_process_reports_few_stages_of_short_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(job: Job, around: Any) -> Outcome:
        around.report({"finished_epoch": 1})
        return Outcome("done")

    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)
    monkeypatch.setattr("grid.execution.perform.run", run)
    jobs = [[Job("train", id, id, {}, {}, {}, "", str(tmp_path / "store"))] for id in "abc"]
    _trial({"ids": '["a", "b", "c"]', "units": packed_units(jobs)})
    assert [row.get("work") for row in said] == ["a", None]
    assert list(json.loads(said[-1]["outcomes"])) == ["a", "b", "c"]
    said.clear()
    _trial({"ids": '["a"]', "units": packed_units(jobs[:1])})
    assert [row.get("work") for row in said] == ["a", "a", None], "begin, epoch, end"


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
