"""What a worker makes of errors that no stage raised."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from limited import limited
from ray import tune
from tune_queue import searching, short, units

from grid.execution import memory_process
from grid.execution.child_process import start
from grid.execution.executor import Session
from grid.execution.job import Job, Outcome
from grid.execution.makespan import PENDING
from grid.execution.memory_peak import Peak
from grid.execution.perform import packed_outcomes, packed_units, unpacked_units
from grid.execution.ray_health import RayLost
from grid.execution.ray_tune import _fit, _searcher, _trial
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.ledger.measurement_times import measurement_times
from grid.plan.code_version import source_digest
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.grid_file import Grid
from grid.spec.launch_settings import Launch
from grid.spec.spending_limits import Limits
from grid.spec.stage_kind import stages_of

CELL = {"data": {"name": "drawn", "subjects": 4, "shots": 4}, "backbone": "alexnet", "input": {"size": 64}}

ALONE = {"slot": "{}", "devices": 1, "larger": "[]"}  # what Tune gets of a unit of work besides its jobs


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
    _trial({**ALONE, "ids": json.dumps(["cell"]), "units": packed_units([[job]])})
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
    _trial({**ALONE, "ids": json.dumps(["cell"]), "units": packed_units([jobs])})
    assert ran == ["train", "explain:gradcam", "explain:rise", "score:rise:sanity"]
    assert len(json.loads(said[-1]["outcomes"])) == 4


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
    assert [(one.slot, one.devices) for one in searcher.waiting(["y", "ended"])] == [(node, 2)]
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


def test_a_training_that_has_ended_for_more_devices_begins_with_them_before_all_other_work(tmp_path: Path) -> None:
    node = {"CPU": 1.0}
    slots = Slots(node, [node])
    searcher, queue, _ = elastic(tmp_path, slots, devices="auto")
    assert searcher.suggest("x")["devices"] == 1
    (found,) = searcher.smaller(["x", "of a measurement"])
    assert (found.work.id, found.job.usable_devices, found.slot, found.devices) == ("0", 2, node, 1)
    slots.nodes = [node, node]
    searcher.on_trial_complete("x", {"outcomes": packed_outcomes({"0": Outcome("rescaled", "stopped after epoch 0")})})
    assert (list(queue.waiting), queue.failed, queue.done) == (["0", "1"], {}, [])
    again = searcher.suggest("y")
    assert (again["ids"], again["devices"]) == ('["0"]', 2)
    assert searcher.smaller(["x", "y"]) == []


def test_a_training_asks_for_no_more_devices_than_growth_has_found_free(tmp_path: Path) -> None:
    node = {"CPU": 1.0}
    slots = Slots(node, [node, node])
    searcher, _, _ = elastic(tmp_path, slots, devices="auto")
    slots.limit("0", 1)
    assert [searcher.suggest(trial)["devices"] for trial in "xy"] == [1, 2]
    assert searcher.fits("x")


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


@pytest.mark.parametrize("address", [None, "auto"])
def test_near_a_limit_smaller_work_starts_however_much_larger_work_is_before_it(
    make: Callable[..., Grid], tmp_path: Path, address: str | None
) -> None:
    hours = {f"large {number}": 2.0 for number in range(2 * PENDING)} | {"small": 0.5, "also small": 0.4}
    jobs = {id: Job("train", id, id, {}, {}, {}, "", str(tmp_path / "store")) for id in hours}
    works = {id: Work(id, id, (job,), frozenset()) for id, job in jobs.items()}
    queue = WorkQueue(works, set(hours), expected={id: 3600 * each for id, each in hours.items()})
    session = limited(make(), queue, Limits(cpu_hours=1.0))
    searcher = _searcher(session, Slots({"CPU": 1}, [{"CPU": 4}]), Launch(address=address))
    assert given(searcher) == ["small", "also small"]
    assert queue.closed is None, "more may fit when these have ended sooner than expected"
    for number, id in enumerate(("small", "also small")):
        searcher.on_trial_complete(f"trial {number}", {"outcomes": packed_outcomes({id: Outcome("done")})})
    assert searcher.suggest("next") is None
    assert f"{2 * PENDING} stages are left" in str(queue.closed)
    assert searcher.suggest("last") == "FINISHED"


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


def test_a_process_reports_few_stages_of_short_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(job: Job, around: Any) -> Outcome:
        around.report({"finished_epoch": 1})
        return Outcome("done")

    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)
    monkeypatch.setattr("grid.execution.perform.run", run)
    jobs = [[Job("train", id, id, {}, {}, {}, "", str(tmp_path / "store"))] for id in "abc"]
    _trial({**ALONE, "ids": '["a", "b", "c"]', "units": packed_units(jobs)})
    assert [row.get("work") for row in said] == ["a", None]
    assert list(json.loads(said[-1]["outcomes"])) == ["a", "b", "c"]
    said.clear()
    _trial({**ALONE, "ids": '["a"]', "units": packed_units(jobs[:1])})
    assert [row.get("work") for row in said] == ["a", "a", None], "begin, epoch, end"


def test_a_training_is_measured_before_its_work_is_given_out_and_alike_work_shares_the_gpu(tmp_path: Path) -> None:
    jobs = []
    for seed in (0, 1):
        cell = Cell.model_validate({**CELL, "seed": seed})
        stage = next(one for one in stages_of(cell, InputResolver(tmp_path / "resolver")) if one.kind == "train")
        config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
        jobs.append(Job(stage.kind, stage.id, stage.label, {}, {}, config, "", str(tmp_path / "store")))
    queue = WorkQueue({job.id: Work(job.id, job.id[:4], (job,), frozenset()) for job in jobs}, {job.id for job in jobs})
    session, launch = Session(queue, Ledger(tmp_path / "store")), Launch.model_validate({"resources": {"gpus": "measured"}})
    slots = Slots({"CPU": 1, "GPU": 1}, [{"CPU": 4, "GPU": 1}], None, launch.measured)
    searcher = _searcher(session, slots, launch)
    probe = searcher.suggest("probe")
    assert json.loads(probe["slot"]) == {"CPU": 1, "GPU": 1}
    assert [job.id for (job,) in unpacked_units(probe["measure"])] == [jobs[0].id]
    assert [(one.slot, one.devices) for one in searcher.waiting(["probe"])] == [(json.loads(probe["slot"]), 1)]
    assert searcher.suggest("nothing") is None, "both wait for it"
    took = Peak(1 << 30, 10 << 30, 80 << 30, "NVIDIA H100")
    searcher.on_trial_complete("probe", {"peak": json.dumps(took.record())})
    given = [searcher.suggest(f"work {number}") for number in range(2)]
    assert [json.loads(one["ids"]) for one in given] == [[job.id] for job in jobs]
    assert [json.loads(one["slot"])["GPU"] for one in given] == [0.1666] * 2


@pytest.mark.parametrize(("found", "hours", "starts"), [("peak", 0.0, True), ("peak", 0.4, False), ("no", 0.0, False)])
def test_a_limit_decides_about_a_training_when_it_is_measured(
    make: Callable[..., Grid], tmp_path: Path, found: str, hours: float, starts: bool
) -> None:
    """An hour on a sixth of a GPU fits into half a GPU-hour, but not after 0.4 hours of measuring, nor one on a whole GPU."""
    stage = next(one for one in stages_of(Cell.model_validate(CELL), InputResolver(tmp_path / "r")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    jobs = [
        Job("detect", "large", "large", {}, {}, {}, "", str(tmp_path / "store")),
        Job("train", "small", "small", {}, {}, config, "", str(tmp_path / "store")),
    ]
    works = {job.id: Work(job.id, job.id, (job,), frozenset()) for job in jobs}
    queue = WorkQueue(works, set(works), expected={"large": 7200.0, "small": 3600.0})
    session, launch = limited(make(), queue, Limits(gpu_hours=0.5)), Launch.model_validate({"resources": {"gpus": "measured"}})
    slots = Slots({"CPU": 1, "GPU": 1}, [{"CPU": 4, "GPU": 1}], None, launch.measured)
    searcher = _searcher(session, slots, launch)
    assert "measure" in searcher.suggest("probe")
    assert searcher.suggest("nothing") is None
    assert queue.closed is None, "the large one does not fit, but the small one may"
    took = Peak(1 << 30, 10 << 30, 80 << 30, "NVIDIA H100")
    began = {"device": "gpu 0 (NVIDIA H100)", "seconds": 3600 * hours}
    searcher.on_trial_result("probe", {"measuring": json.dumps(began)})
    searcher.on_trial_complete("probe", {"peak": json.dumps(took.record() if found == "peak" else found)})
    given = searcher.suggest("work")
    assert (given and given["ids"]) == ('["small"]' if starts else None)
    assert (queue.closed is None) == starts


@pytest.mark.parametrize("limits", [Limits(cpu_hours=0.0), Limits(gpu_hours=0.0)])
def test_nothing_is_measured_once_a_limit_is_reached(make: Callable[..., Grid], tmp_path: Path, limits: Limits) -> None:
    stage = next(one for one in stages_of(Cell.model_validate(CELL), InputResolver(tmp_path / "r")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    job = Job(stage.kind, stage.id, stage.label, {}, {}, config, "", str(tmp_path / "store"))
    queue = WorkQueue({"a": Work("a", "a", (job,), frozenset())}, {job.id})
    session, launch = limited(make(), queue, limits), Launch.model_validate({"resources": {"gpus": "measured"}})
    slots = Slots({"CPU": 1, "GPU": 1}, [{"CPU": 4, "GPU": 1}], None, launch.measured)
    searcher = _searcher(session, slots, launch)
    assert searcher.suggest("work") is None
    assert queue.closed is not None
    assert searcher.suggest("more") == "FINISHED"


def test_work_whose_measurement_is_lost_runs_without_and_its_time_counts(tmp_path: Path) -> None:
    stage = next(one for one in stages_of(Cell.model_validate(CELL), InputResolver(tmp_path / "r")) if one.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    job, said = Job(stage.kind, stage.id, stage.label, {}, {}, config, "", str(tmp_path / "store")), list[str]()
    session = Session(
        WorkQueue({"a": Work("a", "a", (job,), frozenset())}, {job.id}),
        Ledger(tmp_path / "store"),
        say=said.append,
        study=tmp_path,
    )
    launch = Launch.model_validate({"resources": {"memory_gib": "measured"}})
    slots = Slots({"CPU": 1}, [{"CPU": 4, "memory": 8 * 2.0**30}], None, launch.measured)
    searcher = _searcher(session, slots, launch)
    assert "measure" in searcher.suggest("probe")
    searcher.on_trial_result("probe", {"measuring": json.dumps({"device": "cpu", "seconds": 3600.0})})
    searcher.on_trial_complete("probe", error=True)
    assert [one.hours("CPU", 0.0) for one in measurement_times(tmp_path)] == [pytest.approx(1.0, abs=0.01)]
    assert said[-1] == "a: not measured (its process was lost); it reserves 1 CPU"
    assert json.loads(searcher.suggest("work")["slot"]) == {"CPU": 1}


def test_what_is_undecided_is_settled_also_while_tune_only_asks_for_work(tmp_path: Path) -> None:
    """While no trial runs, Tune's loop calls nothing else."""
    queue, settled = WorkQueue({}, {"a"}), list[int]()
    queue.running["a"] = Work("a", "a", (), frozenset())
    searcher = _searcher(Session(queue, Ledger(tmp_path)), Slots({}, []), Launch(), lambda: settled.append(1))
    assert searcher.suggest("trial") is None
    assert settled == [1]


@pytest.mark.parametrize(("slot", "device"), [({"CPU": 1}, "cpu"), ({"CPU": 1, "GPU": 1}, None)])
def test_a_measurement_has_begun_before_its_process_knows_its_device(
    monkeypatch: pytest.MonkeyPatch, slot: dict[str, float], device: str | None
) -> None:
    """The process is killed as soon as it has started, long before it has imported torch."""
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)

    def killed(*args: Any) -> Any:
        process = start(*args)
        process.kill()
        return process

    monkeypatch.setattr(memory_process, "start", killed)
    job = Job("train", "a", "a", {}, {}, {}, "", "store")
    _trial({"measure": packed_units([[job]]), "slot": json.dumps(slot)})
    began, ended = said
    assert json.loads(began["measuring"])["device"] == device
    assert json.loads(ended["peak"]) == "its process was lost (killed by SIGKILL)"
