"""A study is copied to MLflow by a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import empty_database
import forked_children
import psutil
import pytest

from grid.execution.sync_process import SyncProcess
from grid.ledger.lock import LockLost
from grid.ledger.scratch import PREFIX
from grid.ledger.study import Study
from grid.tracking.uri import connect, tracking_of

AXES = {"detection": ["none", "mtcnn"]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    forked_children.install(monkeypatch)


@pytest.fixture
def study(make_study: Callable[..., Study], tmp_path: Path) -> Study:
    empty_database.place(tmp_path / "studies")
    return make_study(axes=AXES, pairs=40, images=2, epochs=1)


def runs(study: Study) -> int:
    client = connect(tracking_of(study))
    found = [one.experiment_id for one in client.search_experiments() if one.name == study.name]
    return len(client.search_runs(found)) if found else 0


def test_a_pass_copies_all_cells_and_the_next_one_nothing(study: Study) -> None:
    asked: list[int] = []
    copying = SyncProcess(study.path, tracking_of(study), lambda: asked.append(1))
    try:
        first = copying.once()
        process = copying._process
        assert (first.problems, first.said, first.unreachable) == ([], [], False)
        assert first.experiment == study.name
        assert first.writes > 0
        assert len(asked) == 1 + len(study.cells)  # before the pass, and before each cell
        assert runs(study) == 2
        assert copying.once().writes == 0
        assert copying._process is process
    finally:
        copying.close()
    assert process is not None
    assert process.returncode == -signal.SIGKILL


def test_a_lost_lock_ends_the_pass_before_the_next_cell(study: Study) -> None:
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise LockLost("taken over")

    copying = SyncProcess(study.path, tracking_of(study), check)
    with pytest.raises(LockLost, match="taken over"):
        copying.once()
    assert copying._process is None
    assert runs(study) == 1


def test_a_killed_process_is_a_problem_and_the_next_pass_copies_the_rest(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            copying.end()

    copying = SyncProcess(study.path, tracking_of(study), check)
    found = copying.once()
    assert list(tmp_path.glob(f"{PREFIX}*"))
    assert found.problems == ["the process that copies was lost (killed by SIGKILL); the next pass copies what is missing"]
    assert runs(study) == 1
    copying = SyncProcess(study.path, tracking_of(study))
    try:
        assert copying.once().problems == []
    finally:
        copying.close()
    assert runs(study) == 2
    assert not list(tmp_path.glob(f"{PREFIX}*")), "what was left of the first one is removed"


def test_nothing_starts_after_the_end(study: Study) -> None:
    copying = SyncProcess(study.path, tracking_of(study))
    copying.end()
    try:
        assert "killed by SIGKILL" in copying.once().problems[0]
    finally:
        copying.close()
    assert runs(study) == 0


def test_a_process_that_cannot_be_started_is_a_problem(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("grid.execution.sync_process.start", refused)
    found = SyncProcess(study.path, "http://name:secret@host").once()
    assert "no process could be started to copy (Resource temporarily unavailable)" in found.problems[0]
    assert "secret" not in str(found)


DRIVER = """
    import sys, time
    from pathlib import Path
    from grid.execution.sync_process import SyncProcess

    def check():
        print(copying._process.pid, flush=True)
        time.sleep(600)

    copying = SyncProcess(Path(sys.argv[1]), sys.argv[2], check)
    copying.once()
"""


def test_the_process_ends_with_a_killed_driver_and_writes_nothing_more(study: Study) -> None:
    """A real process, started as users start it."""
    command = [sys.executable, "-c", textwrap.dedent(DRIVER), str(study.path), tracking_of(study)]
    root = str(Path(__file__).parents[4])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}) as driver:
        assert driver.stdout is not None
        process = psutil.Process(int(driver.stdout.readline()))
        driver.kill()
        driver.wait()
    process.wait(60)
    time.sleep(0.1)
    assert runs(study) == 0
