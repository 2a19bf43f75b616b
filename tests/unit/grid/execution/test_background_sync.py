"""Passes to MLflow while cells run."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from grid.abort import LaunchAborted
from grid.execution import background_sync
from grid.execution.background_sync import SYNC_SECONDS, BackgroundSync
from grid.execution.sync_process import SyncProcess
from grid.tracking.sync import SyncResult


class Pass:
    """Takes some seconds of ``now``, and says its number."""

    def __init__(self, now: list[float], takes: list[float], problems: list[list[str]] | None = None) -> None:
        self.now, self.takes, self.problems, self.asked = now, takes, problems or [], list[bool]()

    def once(self, report: bool = False) -> SyncResult:
        self.asked.append(report)
        if self.takes:
            self.now[0] += self.takes.pop(0)
        return SyncResult("", said=[str(len(self.asked))], problems=self.problems.pop(0) if self.problems else [])


def copying(monkeypatch: pytest.MonkeyPatch, passes: object) -> BackgroundSync:
    found = BackgroundSync(Path("nowhere"), "sqlite:///nowhere", live=True)
    monkeypatch.setattr(found, "passes", passes)
    return found


def test_it_takes_a_fifth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = [0.0], list[float]()
    passes = Pass(now, [1.0, 30.0, 2.0])

    class Stop:
        def wait(self, seconds: float) -> bool:
            pauses.append(seconds)
            return not passes.takes

    found = copying(monkeypatch, passes)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(found, "stop", Stop())
    found._keep()
    assert pauses == [SYNC_SECONDS, SYNC_SECONDS, 120.0, SYNC_SECONDS]
    assert passes.asked == [False, False, False]


def test_the_last_pass_has_the_report_and_is_repeated_for_what_it_could_not_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    for problems, asked in (([[]], 1), ([["a disk failed"], []], 2), ([["a disk failed"], ["again"]], 2)):
        passes = Pass([0.0], [], list(problems))
        found = copying(monkeypatch, passes)
        with found:
            assert found.finish() == problems[-1]
        assert passes.asked == [True] * asked
        assert found.said == [str(number) for number in range(1, asked + 1)]


def test_leaving_ends_a_pass_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So Ctrl-C does not wait until thousands of cells are copied."""
    monkeypatch.setattr(background_sync, "SYNC_SECONDS", 0.0)
    checking, goes_on = threading.Event(), threading.Event()

    def check() -> None:
        checking.set()
        goes_on.wait(60)

    found = BackgroundSync(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", live=True, check=check)
    assert isinstance(found.passes, SyncProcess)
    monkeypatch.setattr("grid.execution.sync_process.start", _asks)
    with found:
        assert checking.wait(60)
        process = found.passes._process
        assert process is not None
        threading.Timer(0.2, goes_on.set).start()
    assert process.returncode == -9
    assert found.thread is not None
    assert not found.thread.is_alive()


def _asks(module: str, task: object) -> object:
    """A process that asks once whether it may write, and then takes long."""
    program = "import sys, time; print('{}', flush=True); sys.stdin.readline(); time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_lost_lock_ends_the_thread_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost:
        def once(self, report: bool = False) -> SyncResult:
            raise LaunchAborted("taken over")

    monkeypatch.setattr(background_sync, "SYNC_SECONDS", 0.0)
    found = copying(monkeypatch, Lost())
    with found:
        assert found.thread is not None
        found.thread.join(60)
        assert not found.thread.is_alive()
