"""Each kind of training is measured once, before its first unit of work starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grid.execution.job import Job
from grid.execution.measurements import LOOKED_AT, Measurements, Probes
from grid.execution.memory_peak import GIB, Peak
from grid.execution.peaks import Peaks
from grid.execution.scheduler import Work
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import stages_of

NODES = [{"CPU": 4.0, "GPU": 2.0, "memory": 64.0 * GIB}]
FIRST = {"CPU": 1.0, "GPU": 1.0}
PEAK = Peak(2 * GIB, 20 * GIB, 80 * GIB, "NVIDIA H100")
BOTH = {"gpus": "measured", "memory_gib": "measured"}


class Noted(Probes):
    """Probes in a place where they end when a test says so."""

    def __init__(self) -> None:
        self.started: dict[str, tuple[Job, Mapping[str, float]]] = {}
        self.over: dict[str, Peak | str] = {}

    def start(self, key: str, job: Job, slot: Mapping[str, float]) -> None:
        assert key not in self.started, "started twice"
        self.started[key] = (job, slot)

    def ended(self) -> Mapping[str, Peak | str]:
        over, self.over = self.over, {}
        return over


def work(tmp_path: Path, id: str, **changes: Any) -> Work:
    cell = Cell.model_validate(
        {
            "data": {"name": "drawn", "subjects": 4, "shots": 4},
            "backbone": "alexnet",
            "input": {"size": 64},
            "protocols": [{"name": "drawn"}],
            **changes,
        }
    )
    jobs = []
    for stage in stages_of(cell, InputResolver(tmp_path / "resolver")):
        config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
        jobs.append(Job(stage.kind, f"{id}-{stage.kind}", stage.label, {}, {}, config, "", str(tmp_path / "store")))
    return Work(id, f"cell {id}", tuple(jobs), frozenset())


def measurements(tmp_path: Path, probes: Probes, said: list[str], resources: Any = BOTH, nodes: Any = NODES) -> Measurements:
    launch = Launch.model_validate({"resources": resources})
    slots = Slots({name: FIRST[name] for name in FIRST if name in nodes[0]}, nodes, None, launch.measured)
    return Measurements(Peaks(tmp_path), probes, slots, Ledger(tmp_path / "store"), said.append)


def ids(found: Any) -> list[str]:
    return [work.id for work in found]


def test_alike_work_waits_for_one_measurement_and_other_work_for_its_own(tmp_path: Path) -> None:
    probes, said = Noted(), list[str]()
    found = measurements(tmp_path, probes, said)
    works = [work(tmp_path, "a"), work(tmp_path, "b", seed=1), work(tmp_path, "c", backbone="mobilenetv3_small")]
    assert ids(found.known(works)) == []
    assert [(job.id, dict(slot)) for job, slot in probes.started.values()] == [("a-train", FIRST), ("c-train", FIRST)]
    key, other = probes.started
    probes.over[key] = PEAK
    assert ids(found.known(works)) == ["a", "b"]
    assert found.peak(works[1]) == PEAK
    assert said[-1] == (
        "cell a: its training took 2.0 GiB of memory and 20.0 of 80.0 GiB of a GPU; "
        "such work reserves 1 CPU, 0.3333 GPU, 2.7 GiB"
    )
    probes.over[other] = "ValueError: no such loss"
    assert ids(found.known(works)) == ["a", "b", "c"], "the training itself shows its error"
    assert found.peak(works[2]) is None
    assert said[-1] == "cell c: not measured (ValueError: no such loss); it reserves 1 CPU, 1 GPU"
    again = measurements(tmp_path, Noted(), said)
    assert ids(again.known(works)) == ["a", "b"], "the next launch knows it, and tries the failed one again"


def test_only_as_many_are_measured_at_once_as_there_is_room_for(tmp_path: Path) -> None:
    probes = Noted()
    found = measurements(tmp_path, probes, [])
    works = [work(tmp_path, str(number), head={"name": "gap_bn", "dimension": 8 + number}) for number in range(4)]
    assert ids(found.known(works)) == []
    assert len(probes.started) == 2, "two GPUs"
    probes.over = dict.fromkeys(probes.started, PEAK)
    assert ids(found.known(works)) == ["0", "1"]
    assert len(probes.started) == 4


def test_a_finished_training_is_not_measured(tmp_path: Path) -> None:
    ledger, one = Ledger(tmp_path / "store"), work(tmp_path, "a")
    attempt = ledger.begin("train", "a-train", {})
    attempt.finish({}, {}, "", [])
    probes = Noted()
    assert ids(measurements(tmp_path, probes, []).known([one])) == ["a"]
    assert probes.started == {}


def test_without_gpus_nothing_of_them_is_measured(tmp_path: Path) -> None:
    nodes, probes = [{"CPU": 4.0, "memory": 8.0 * GIB}], Noted()
    assert ids(measurements(tmp_path, probes, [], {"gpus": "measured"}, nodes).known([work(tmp_path, "a")])) == ["a"]
    assert probes.started == {}
    assert ids(measurements(tmp_path, probes, [], BOTH, nodes).known([work(tmp_path, "a")])) == []
    assert [dict(slot) for _, slot in probes.started.values()] == [{"CPU": 1.0}]


def test_very_many_cells_are_not_all_looked_at(tmp_path: Path) -> None:
    one, looked = work(tmp_path, "a"), list[int]()

    def many() -> Any:
        for number in range(1000):
            looked.append(number)
            yield Work(str(number), str(number), one.jobs, frozenset())

    assert ids(measurements(tmp_path, Noted(), []).known(many())) == []
    assert len(looked) == LOOKED_AT
