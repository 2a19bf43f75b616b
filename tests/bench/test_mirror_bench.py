"""Many runs copied to MLflow in SQLite: seconds a run, and against a plain client that writes runs with as many metrics.

A run of facegrid has artifacts, datasets and a logged model, too. ``RUNS`` is the number of runs.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import empty_database
import psutil
import pytest
from invented_study import build_study

from grid.tracking.sync import default_tracking, sync_pass
from grid.tracking.uri import connect

pytestmark = pytest.mark.timeout(7200)
RUNS = int(os.environ.get("RUNS", "200"))
ALLOWED = 6.0


def test_a_copied_run_takes_a_few_times_as_long_as_a_plain_one(tmp_path: Path) -> None:
    empty_database.place(tmp_path)
    axes = {
        "backbone": ["alexnet", "resnet34", "efficientnet_b1", "nn1", "nn2"],
        "detection": ["none", "mtcnn"],
        "loss": [f"loss_{number}" for number in range(RUNS // 10)],
    }
    study = build_study(tmp_path / "faces", axes=axes, pairs=40, explainers=(), epochs=9)
    client, process = connect(default_tracking(study.path)), psutil.Process()
    memory, start = process.memory_info().rss, (time.perf_counter(), time.process_time())
    result = sync_pass(study.path)
    copied, used = time.perf_counter() - start[0], time.process_time() - start[1]
    held = process.memory_info().rss - memory
    assert result.problems == []
    assert len(result.runs) == RUNS
    start = (time.perf_counter(), time.process_time())
    assert sync_pass(study.path).writes == 0
    again = time.process_time() - start[1]
    run = client.get_run(next(iter(result.runs.values())))
    histories = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    points = sum(map(len, histories.values()))

    from mlflow.entities import Metric, Param, RunTag

    metrics = [Metric(key, point.value, point.timestamp, point.step) for key, found in histories.items() for point in found]
    params, tags = (
        [kind(*pair) for pair in pairs.items()] for kind, pairs in ((Param, run.data.params), (RunTag, run.data.tags))
    )
    other, began = client.create_experiment("plain"), time.perf_counter()
    for _ in range(RUNS):
        plain = client.create_run(other)
        client.log_batch(plain.info.run_id, metrics=metrics, params=params, tags=tags)
        client.set_terminated(plain.info.run_id)
    bare = time.perf_counter() - began
    print(
        f"\n{RUNS} runs of {points} points, {len(run.data.metrics)} metrics: {1e3 * copied / RUNS:.0f} ms a run, "
        f"{1e3 * used / RUNS:.0f} ms of processor, {held / 1e3 / RUNS:.0f} kB; plain client {1e3 * bare / RUNS:.0f} ms, "
        f"ratio {copied / bare:.1f}; a pass that writes nothing {1e3 * again / RUNS:.1f} ms a run"
    )
    assert copied <= ALLOWED * bare
