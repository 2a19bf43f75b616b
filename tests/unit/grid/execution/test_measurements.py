"""Each kind of training is measured once, before its first unit of work starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grid.execution.job import Job
from grid.execution.measurements import LOOKED_AT, Measurements, Probe
from grid.execution.memory_peak import GIB, Peak
from grid.execution.peaks import Peaks
from grid.execution.scheduler import Work
from grid.execution.slots import Slots
from grid.ledger.ledger import Ledger
from grid.ledger.measurement_times import measurement_times
from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import stages_of

NODES = [{"CPU": 4.0, "GPU": 2.0, "memory": 64.0 * GIB}]
FIRST = {"CPU": 1.0, "GPU": 1.0}
PEAK = Peak(2 * GIB, 20 * GIB, 80 * GIB, "NVIDIA H100")
BOTH = {"gpus": "measured", "memory_gib": "measured"}


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


def measurements(tmp_path: Path, said: list[str], resources: Any = BOTH, nodes: Any = NODES) -> Measurements:
    launch = Launch.model_validate({"resources": resources})
    slots = Slots({name: FIRST[name] for name in FIRST if name in nodes[0]}, nodes, None, launch.measured)
    return Measurements(Peaks(tmp_path), slots, Ledger(tmp_path / "store"), said.append)


def ids(found: Any) -> list[str]:
    return [work.id for work in found]


def begun(found: Measurements, works: list[Work]) -> list[Probe]:
    """All that start now."""
    probes = []
    while (probe := found.begin(works)) is not None:
        probes.append(probe)
    return probes


def test_alike_work_waits_for_one_measurement_and_other_work_for_its_own(tmp_path: Path) -> None:
    said = list[str]()
    found = measurements(tmp_path, said)
    works = [work(tmp_path, "a"), work(tmp_path, "b", seed=1), work(tmp_path, "c", backbone="mobilenetv3_small")]
    one, other = begun(found, works)
    assert [(probe.job.id, dict(probe.slot)) for probe in (one, other)] == [("a-train", FIRST), ("c-train", FIRST)]
    assert ids(found.known(works)) == []
    found.end(one.key, PEAK)
    assert ids(found.known(works)) == ["a", "b"]
    assert found.peak(works[1]) == PEAK
    assert said[-1] == (
        "cell a: its training took 2.0 GiB of memory and 20.0 of 80.0 GiB of a GPU; "
        "such work reserves 1 CPU, 0.3333 GPU, 2.7 GiB"
    )
    found.end(other.key, "ValueError: no such loss")
    assert ids(found.known(works)) == ["a", "b", "c"], "the training itself shows its error"
    assert found.peak(works[2]) is None
    assert said[-1] == "cell c: not measured (ValueError: no such loss); it reserves 1 CPU, 1 GPU"
    assert begun(found, works) == []
    again = measurements(tmp_path, said)
    assert ids(again.known(works)) == ["a", "b"], "the next launch knows it, and tries the failed one again"
    assert [probe.job.id for probe in begun(again, works)] == ["c-train"]


def test_the_time_of_a_measurement_is_kept_with_the_cpus_and_gpus_it_reserved(tmp_path: Path) -> None:
    found = measurements(tmp_path, [])
    (probe,) = begun(found, [work(tmp_path, "a")])
    found.began(probe.key, None, 1800.0)
    (time,) = measurement_times(tmp_path)
    assert time.device is None
    for _ in range(2):  # Tune may tell a result twice
        found.began(probe.key, "gpu 3 (NVIDIA H100)", 1801.0)
    found.end(probe.key, "its process was lost")
    (time,) = measurement_times(tmp_path)
    assert [time.hours(name, 0.0) for name in ("CPU", "GPU")] == [pytest.approx(0.5, abs=0.01)] * 2
    assert time.device == "gpu 3 (NVIDIA H100)"
    assert set(time.reserved) == {"CPU", "GPU"}


def test_only_as_many_are_measured_at_once_as_there_is_room_for(tmp_path: Path) -> None:
    found = measurements(tmp_path, [])
    works = [work(tmp_path, str(number), head={"name": "gap_bn", "dimension": 8 + number}) for number in range(4)]
    probes = begun(found, works)
    assert [probe.job.id for probe in probes] == ["0-train", "1-train"], "two GPUs"
    for probe in probes:
        found.end(probe.key, PEAK)
    assert ids(found.known(works)) == ["0", "1"]
    assert [probe.job.id for probe in begun(found, works)] == ["2-train", "3-train"]


def test_on_gpus_of_another_type_it_is_measured_again(tmp_path: Path) -> None:
    one, said = work(tmp_path, "a"), list[str]()

    def on(*types: str) -> Measurements:
        return measurements(tmp_path, said, nodes=[{**NODES[0], f"accelerator_type:{name}": 1.0} for name in types])

    found = on("H100")
    (probe,) = begun(found, [one])
    found.end(probe.key, PEAK)
    assert found.peak(one) == Peak(2 * GIB, 20 * GIB, 80 * GIB, "NVIDIA H100", ("H100",))
    again = on("H100", "H100")
    assert begun(again, [one]) == []
    assert again.peak(one) is not None
    other = on("A100")
    assert other.peak(one) is None
    assert ids(other.known([one])) == []
    (probe,) = begun(other, [one])
    other.end(probe.key, PEAK)
    assert ids(other.known([one])) == ["a"]


def test_what_was_measured_without_a_gpu_is_measured_again_on_one(tmp_path: Path) -> None:
    one, nodes = work(tmp_path, "a"), [{"CPU": 4.0, "memory": 8.0 * GIB}]
    found = measurements(tmp_path, [], nodes=nodes)
    (probe,) = begun(found, [one])
    found.end(probe.key, Peak(GIB, 0, 0, "cpu"))
    assert ids(measurements(tmp_path, [], nodes=nodes).known([one])) == ["a"]
    assert len(begun(measurements(tmp_path, []), [one])) == 1


def test_a_process_that_sees_no_gpu_though_it_has_one_ends_the_measurement(tmp_path: Path) -> None:
    one, said = work(tmp_path, "a"), list[str]()
    found = measurements(tmp_path, said)
    (probe,) = begun(found, [one])
    found.end(probe.key, Peak(GIB, 0, 0, "cpu"))
    assert said[-1] == "cell a: not measured (its process saw no GPU); it reserves 1 CPU, 1 GPU"
    assert ids(found.known([one])) == ["a"], "and it runs without"
    assert begun(found, [one]) == []


def test_of_several_devices_the_memory_of_each_is_measured_and_they_fit_at_once(tmp_path: Path) -> None:
    said, one = list[str](), work(tmp_path, "a", compute={"devices": 2})
    nodes = [{**NODES[0], "memory": 4.0 * GIB}]
    assert begun(measurements(tmp_path, said, {"gpus": "measured"}, nodes), [one]) == [], "each has a whole GPU"
    found = measurements(tmp_path, said, nodes=nodes)
    (probe,) = begun(found, [one])
    assert probe.slot == FIRST, "the measurement takes one of them"
    found.end(probe.key, replace(PEAK, several=True))
    assert said[-1].endswith("of a GPU; each of its devices reserves 1 CPU, 1 GPU, 2 GiB")


def test_a_finished_training_is_not_measured(tmp_path: Path) -> None:
    ledger, one = Ledger(tmp_path / "store"), work(tmp_path, "a")
    ledger.begin("train", "a-train", {}).finish({}, {}, "", [])
    found = measurements(tmp_path, [])
    assert ids(found.known([one])) == ["a"]
    assert begun(found, [one]) == []


def test_without_gpus_nothing_of_them_is_measured(tmp_path: Path) -> None:
    nodes, works = [{"CPU": 4.0, "memory": 8.0 * GIB}], [work(tmp_path, "a")]
    assert begun(measurements(tmp_path, [], {"gpus": "measured"}, nodes), works) == []
    assert [dict(probe.slot) for probe in begun(measurements(tmp_path, [], BOTH, nodes), works)] == [{"CPU": 1.0}]


def test_very_many_cells_are_not_all_looked_at(tmp_path: Path) -> None:
    one, looked = work(tmp_path, "a"), list[int]()

    def many() -> Any:
        for number in range(1000):
            looked.append(number)
            yield Work(str(number), str(number), one.jobs, frozenset())

    assert ids(measurements(tmp_path, []).known(many())) == []
    assert len(looked) == LOOKED_AT
