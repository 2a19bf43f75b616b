"""Units of work in processes of their own on this machine, several at once: both their ends."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grid.execution.child_process import conversation, how_ended, kill, send, start
from grid.execution.job import Outcome, RunOptions
from grid.execution.perform import packed_jobs, packed_outcomes, perform, unpacked_jobs, unpacked_outcomes
from grid.execution.scheduler import Work

PATIENCE = 10.0  # seconds for a process to close its attempt after an interrupt


@dataclass(frozen=True)
class Progress:
    """A stage of the work begins, with an empty row, or goes on."""

    work: Work
    label: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """The work has ended; ``outcomes`` is the return value of ``perform``, or None if its process was lost, ``why``."""

    work: Work
    outcomes: Mapping[str, Outcome] | None
    why: str = ""


class WorkProcesses:
    """A context manager. Processes are used again for further work; leaving the block interrupts those that still work.

    Args:
        options: fields of ``RunOptions``, as JSON values
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._idle: list[subprocess.Popen[str]] = []
        self._running: dict[subprocess.Popen[str], Work] = {}
        self._said: queue.Queue[tuple[subprocess.Popen[str], str]] = queue.Queue()

    @property
    def running(self) -> int:
        """The number of units of work that have not ended."""
        return len(self._running)

    def start(self, work: Work) -> None:
        """Begins a unit of work."""
        process = self._idle.pop() if self._idle else self._new()
        self._running[process] = work
        send(process, packed_jobs(work.jobs))

    def next(self) -> Progress | Ended:
        """Waits for what any of the processes says next; at least one unit of work is running."""
        process, line = self._said.get()
        while process not in self._running:  # it was idle when it ended
            process, line = self._said.get()
        work = self._running[process]
        if not line:
            del self._running[process]
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)  # its exit code, before it is killed
            kill(process)
            return Ended(work, None, how_ended(process.returncode))
        said = json.loads(line)
        if "outcomes" not in said:
            return Progress(work, said["label"], said["row"])
        del self._running[process]
        self._idle.append(process)
        return Ended(work, unpacked_outcomes(said["outcomes"]))

    def _new(self) -> subprocess.Popen[str]:
        process = start("grid.execution.work_processes", self._options)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Passes on the lines of a process, and an empty one at its end."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):  # or else it was killed while it wrote
                self._said.put((process, line))
        self._said.put((process, ""))

    def __enter__(self) -> WorkProcesses:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._running:
            process.send_signal(signal.SIGINT)
        limit = time.monotonic() + PATIENCE
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, limit - time.monotonic()))
        for process in (*self._running, *self._idle):
            kill(process)


def main(task: Mapping[str, Any]) -> None:
    """In the new process: reads jobs, a unit of work per line, and answers with lines of progress and one of outcomes for each.

    Ends at SIGINT, after it has closed the attempt, and at once when the process that started it ends.

    Args:
        task: fields of ``RunOptions``
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been inherited as ignored
    say, works = conversation()
    options = RunOptions(**task)
    try:
        while True:
            jobs = unpacked_jobs(json.loads(works.get()))
            outcomes = perform(jobs, lambda label, row: say({"label": label, "row": row}), options)
            say({"outcomes": packed_outcomes(outcomes)})
    except KeyboardInterrupt:
        os._exit(130)  # without a traceback
