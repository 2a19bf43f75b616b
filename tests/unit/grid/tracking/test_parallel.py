"""Runs that are copied at once."""

from __future__ import annotations

import threading
import time

import pytest
from mlflow_runs import Make
from mlflow_server import Server

from grid.tracking import sync as syncing
from grid.tracking.parallel import THREADS, each, threads_for
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect


def test_sqlite_has_one_writer() -> None:
    assert threads_for("sqlite:////a/mlflow.db") == 1
    assert threads_for("http://127.0.0.1:5000") == threads_for("postgresql://host/db") == THREADS


def test_results_are_in_the_order_of_the_items_and_calls_run_at_once() -> None:
    together = threading.Barrier(3, timeout=60)

    def square(number: int) -> int:
        together.wait()
        time.sleep(0.02 * (3 - number))
        return number * number

    assert each(square, [0, 1, 2], threads=3) == [0, 1, 4]
    assert each(lambda number: threading.current_thread().name, [0, 1], threads=1) == [threading.current_thread().name] * 2


def test_after_an_error_no_other_call_begins_and_those_that_began_have_ended() -> None:
    began, ended, failing = [], [], threading.Event()

    def call(number: int) -> None:
        began.append(number)
        if number == 1:
            failing.set()
            raise ValueError("no answer")
        failing.wait(60)
        time.sleep(0.1)
        ended.append(number)

    with pytest.raises(ValueError, match="no answer"):
        each(call, list(range(50)), threads=2)
    assert began[:2] == [0, 1]
    assert len(began) < 50
    assert sorted(ended) == sorted(set(began) - {1})


@pytest.mark.slow
def test_a_server_has_after_a_parallel_pass_what_sqlite_has_after_one_by_one(new_study: Make, tmp_path, monkeypatch) -> None:
    study = new_study(axes={"backbone": ["a", "b", "c"], "loss": ["x", "y"]}, explainers=(), pairs=20)
    threads: list[str] = []
    cell = syncing._Pass._cell

    def noted(self: syncing._Pass, *words: object) -> None:
        threads.append(threading.current_thread().name)
        cell(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(syncing._Pass, "_cell", noted)
    local = sync_pass(study.path)
    assert set(threads) == {threading.current_thread().name}
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(folder) as server:
        threads.clear()
        remote = sync_pass(study.path, server.address)
        assert len(set(threads)) > 1
        assert (remote.problems, local.problems) == ([], [])
        assert remote.runs.keys() == local.runs.keys()
        assert remote.writes == local.writes
        clients = connect(server.address), connect(local.tracking)
        for id in local.runs:
            ours, theirs = (client.get_run(found.runs[id]) for client, found in zip(clients, (remote, local), strict=True))
            assert (ours.data.params, ours.data.metrics) == (theirs.data.params, theirs.data.metrics)
            assert (ours.info.status, ours.info.run_name) == (theirs.info.status, theirs.info.run_name)
            ours_seen, theirs_seen = (
                {(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs} for run in (ours, theirs)
            )
            assert ours_seen == theirs_seen
        assert sync_pass(study.path, server.address).writes == 0


def test_each_problem_is_told_in_the_order_of_the_cells(new_study: Make, tmp_path, monkeypatch) -> None:
    study = new_study(axes={"backbone": ["a", "b", "c", "d"]}, explainers=(), pairs=20)
    titles = [cell.title for cell in study.cells]

    def fails(self: syncing._Pass, cell: object, record: object, problems: list[str], said: list[str]) -> None:
        time.sleep(0.05 * (4 - titles.index(cell.title)))  # type: ignore[attr-defined]
        problems.append(f"{cell.title}: no")  # type: ignore[attr-defined]

    monkeypatch.setattr(syncing._Pass, "_cell", fails)
    monkeypatch.setattr(syncing, "threads_for", lambda tracking: 4)
    assert sync_pass(study.path).problems == [f"{title}: no" for title in titles]
