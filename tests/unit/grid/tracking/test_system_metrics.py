"""Samples of the machine in MLflow: those of a cell's own stages, once, under the names that MLflow gives a page of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlflow_runs import AXES, Make, dump, runs, thorough

from grid.ledger.study import CellView, Study
from grid.tracking import system_metrics
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

CPU, MEMORY = "system/cpu_utilization_percentage", "system/process_memory_usage_megabytes"


def sampled(study: Study, cell: CellView, label: str, count: int = 3) -> list[float]:
    """Samples of a stage, as its attempt would have written them; returns their times."""
    marker = cell.markers[label]
    times = [marker.started + number for number in range(count)]
    lines = [
        {"time": time, "level": "info", "source": "system", "message": "", "cpu_utilization_percentage": 10.0 + number,
         "process_memory_usage_megabytes": 500.0}
        for number, time in enumerate(times)
    ]  # fmt: skip
    data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    study.ledger.store.create(f"{marker.kind}/{marker.id}/{marker.attempt}/system/000001.jsonl", data)
    return times


def points(study: Study, name: str, key: str) -> list[tuple[int, float, int]]:
    client = connect(tracking_of(study))
    found = client.get_metric_history(runs(study)[name].info.run_id, key)
    return sorted((point.timestamp, point.value, point.step) for point in found)


@pytest.fixture
def study(new_study: Make) -> Any:
    return new_study(axes=AXES, pairs=40, explainers=(), epochs=3)


def test_samples_become_points_in_the_order_of_time(study: Study) -> None:
    cell = study.cells[0]
    trained, evaluated = sampled(study, cell, "train"), sampled(study, cell, "evaluate:lfw view 2")
    sync_pass(study.path)
    name = " / ".join(cell.levels.values())
    start = runs(study)[name].info.start_time
    found = points(study, name, CPU)
    times = [round(time * 1000) for time in sorted([*trained, *evaluated])]
    assert [time for time, _, _ in found] == times
    assert [step for _, _, step in found] == [time - start for time in times]
    assert sorted(value for _, value, _ in found) == [10.0, 10.0, 11.0, 11.0, 12.0, 12.0]
    assert {value for _, value, _ in points(study, name, MEMORY)} == {500.0}
    other = " / ".join(study.cells[1].levels.values())
    assert CPU not in runs(study)[other].data.metrics


def test_a_second_pass_writes_nothing(study: Study) -> None:
    sampled(study, study.cells[0], "train")
    sync_pass(study.path, report=True)
    before = dump(study)
    assert sync_pass(study.path, report=True).writes == 0
    assert thorough(study).writes == 0
    assert dump(study) == before


def test_a_pass_that_was_interrupted_before_its_tick_repeats_no_point(study: Study) -> None:
    sampled(study, study.cells[0], "train")
    sync_pass(study.path)
    name = " / ".join(study.cells[0].levels.values())
    before = points(study, name, CPU)
    client = connect(tracking_of(study))
    client.delete_tag(runs(study)[name].info.run_id, "facegrid.synced.system/train")
    sync_pass(study.path)
    assert points(study, name, CPU) == before
    assert "facegrid.synced.system/train" in runs(study)[name].data.tags


def test_shared_stages_have_no_points_since_no_run_is_theirs(study: Study) -> None:
    cell = study.cells[1]
    label = next(label for label in cell.markers if label.startswith("detect"))
    sampled(study, cell, label)
    sync_pass(study.path)
    assert CPU not in runs(study)[" / ".join(cell.levels.values())].data.metrics


def test_many_samples_are_thinned_evenly(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_metrics, "POINTS", 4)
    marker = study.cells[0].markers["train"]
    times = sampled(study, study.cells[0], "train", count=10)
    found = system_metrics.system_points(study.ledger, "train", marker, round(times[0] * 1000))
    assert [point.step for point in found if point.key == CPU] == [0, 3000, 6000, 9000]
