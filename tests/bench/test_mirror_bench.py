"""Many runs copied to MLflow: seconds a run, and against a plain client that writes the same with as many threads.

In SQLite, and on a server of two processes on PostgreSQL. ``RUNS`` is the number of runs; the plain client writes as many, at
most ``PLAIN``. Server and client share the machine, so ratios and processor time say more than seconds.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import empty_database
import psutil
import pytest
from invented_study import build_study
from mlflow_server import Server
from postgres import Postgres, binaries

from grid.ledger.study import Study
from grid.tracking.parallel import each, threads_for
from grid.tracking.sync import sync_pass
from grid.tracking.uri import artifacts_of, connect, default_tracking

pytestmark = pytest.mark.timeout(7200)
RUNS = int(os.environ.get("RUNS", "200"))
PLAIN = 300
ALLOWED = 3.0  # times the time of the plain client, for crowded machines
WORKERS = 2


def many_cells(folder: Path) -> Study:
    axes = {
        "backbone": ["alexnet", "resnet34", "efficientnet_b1", "nn1", "nn2"],
        "detection": ["none", "mtcnn"],
        "loss": [f"loss_{number}" for number in range(RUNS // 10)],
    }
    return build_study(folder, axes=axes, pairs=40, explainers=(), epochs=9)


def processor(process: psutil.Process) -> float:
    """Seconds of processor time of a process and its children, also ended ones."""
    found = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        found += times.user + times.system + times.children_user + times.children_system
    return found


@contextmanager
def measured(what: str, runs: int, **processes: psutil.Process) -> Iterator[Callable[[], float]]:
    """Prints what a block cost per run; the seconds are there when it has ended."""
    took: list[float] = []
    cpu, start = {name: processor(one) for name, one in processes.items()}, (time.perf_counter(), time.process_time())
    yield lambda: took[0]
    took.append(time.perf_counter() - start[0])
    spent = {"client": time.process_time() - start[1]} | {name: processor(one) - cpu[name] for name, one in processes.items()}
    shares = ", ".join(f"{name} {1e3 * seconds / runs:.1f}" for name, seconds in spent.items())
    print(
        f"\n{what}: {took[0]:.1f} s, {1e3 * took[0] / runs:.1f} ms a run; processor, ms a run: {shares}; "
        f"load {os.getloadavg()[0]:.1f}",
        end="",
    )


def write_plainly(client: Any, tracking: str, run_id: str, folder: Path, runs: int) -> Callable[[], None]:
    """Prepares a loop that writes copies of a run: its files, points, params, tags, datasets and model."""
    from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag

    run = client.get_run(run_id)
    models = [client.get_logged_model(one.model_id) for one in run.outputs.model_outputs]
    found = {key: client.get_metric_history(run_id, key) for key in run.data.metrics}
    metrics = [Metric(key, point.value, point.timestamp, point.step) for key, points in found.items() for point in points]
    params, tags = (
        [kind(*pair) for pair in pairs.items()] for kind, pairs in ((Param, run.data.params), (RunTag, run.data.tags))
    )
    client.download_artifacts(run_id, "", str(folder))
    files = sum(path.is_file() for path in folder.rglob("*"))
    print(
        f"\na run has {len(metrics)} points of {len(found)} metrics, {len(params)} params, {len(tags)} tags, {files} files",
        end="",
    )
    other = client.create_experiment("plain", artifacts_of(tracking, folder))

    def write(number: int) -> None:
        new = client.create_run(other, run_name=f"{number}").info.run_id
        for model in models:
            made = client.create_logged_model(other, model.name, new, model.tags, model.params).model_id
            client.finalize_logged_model(made, "READY")
            client.log_outputs(new, [LoggedModelOutput(made, step=0)])
        client.log_artifacts(new, str(folder))
        client.log_batch(new, metrics=metrics, params=params, tags=tags)
        client.log_inputs(new, run.inputs.dataset_inputs)
        client.set_terminated(new)

    def loop() -> None:
        each(write, range(1, runs + 1), threads_for(tracking))

    write(0)  # the datasets are new once
    return loop


def compare(study: Study, tracking: str, folder: Path, **processes: psutil.Process) -> None:
    client = connect(tracking)
    with measured(f"{RUNS} new runs", RUNS, **processes) as copied:
        result = sync_pass(study.path, tracking)
    assert (result.problems, len(result.runs)) == ([], RUNS)
    with measured("a pass with nothing new", RUNS, **processes):
        assert sync_pass(study.path, tracking).writes == 0
    lost = next(iter(result.runs))
    client.delete_run(result.runs[lost])
    with measured("a pass with one run to write", RUNS, **processes):
        again = sync_pass(study.path, tracking)
    assert again.problems == []
    assert {id for id, run in again.runs.items() if run != result.runs[id]} == {lost}
    runs = min(RUNS, PLAIN)
    loop = write_plainly(client, tracking, again.runs[lost], folder, runs)
    with measured(f"a plain client, {runs} runs", runs, **processes) as plain:
        loop()
    ratio = copied() / RUNS / (plain() / runs)
    print(f"\nratio to the plain client: {ratio:.2f}")
    assert ratio <= ALLOWED


def test_a_run_copied_to_sqlite_takes_little_longer_than_a_plain_one(tmp_path: Path) -> None:
    empty_database.place(tmp_path)
    study = many_cells(tmp_path / "faces")
    compare(study, default_tracking(study.path), tmp_path / "copy")


def test_a_run_copied_to_a_server_takes_no_longer_than_a_plain_one(tmp_path: Path) -> None:
    lacking = [] if importlib.util.find_spec("psycopg2") else ["psycopg2"]
    lacking += [] if binaries() else ["PostgreSQL (Debian: apt-get install postgresql)"]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)}")
    study = many_cells(tmp_path / "faces")
    options = ("--serve-artifacts", "--workers", str(WORKERS))
    with Postgres(secrets.token_hex(8)) as database, Server(tmp_path, None, database.uri, options) as server:
        assert server.process is not None
        processes = {"server": psutil.Process(server.process.pid), "PostgreSQL": psutil.Process(database.process.pid)}
        compare(study, server.address, tmp_path / "copy", **processes)
