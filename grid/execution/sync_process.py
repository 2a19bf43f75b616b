"""Passes over a study in a process of their own: both its ends."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from grid.execution.child_process import conversation, how_ended, kill, kill_session, send, start
from grid.ledger.scratch import scratch_folder, temporary_files_in
from grid.ledger.study import Study
from grid.secrets import masked
from grid.tracking.sync import MlflowSync, SyncResult


class SyncProcess:
    """Runs passes as ``MlflowSync`` does, in a process that starts with the first one and ends with this process.

    Args:
        check: called in this process before each cell is written; raises ``LaunchAborted`` if the study's lock was lost. So
            nothing is written while this process is stopped.
    """

    def __init__(self, study: Path, tracking: str, check: Callable[[], None] = lambda: None) -> None:
        self.study, self.tracking, self.check = study, tracking, check
        self._process: subprocess.Popen[str] | None = None
        self._ending = False

    def once(self, report: bool = False) -> SyncResult:
        """One pass, see ``MlflowSync.once``; the result has no ids of runs. If the process dies, the next pass starts another.

        Raises:
            LaunchAborted: what ``check`` raised; the process is killed first.
        """
        try:
            process = self._started()
        except OSError as error:
            return self._failed(f"no process could be started to copy ({error.strerror or error})")
        try:
            send(process, {"report": report})
            while (answer := _answer(process)) is not None:
                if "result" in answer:
                    return SyncResult(**answer["result"])
                self.check()
                send(process, "go on")
        except BaseException:
            self.close()
            raise
        self.close()
        return self._failed(f"the process that copies was lost ({how_ended(process.returncode)})")

    def end(self) -> None:
        """Ends the process and the pass in it, if any, at once; may be called by another thread than ``once``."""
        self._ending = True
        if (process := self._process) is not None:
            kill_session(process)

    def close(self) -> None:
        """The same, and frees what the process held here; it starts again with the next pass."""
        if self._process is not None:
            kill(self._process)
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = start("grid.execution.sync_process", {"study": str(self.study), "tracking": self.tracking})
            if self._ending:  # meanwhile
                kill_session(self._process)
        return self._process

    def _failed(self, words: str) -> SyncResult:
        return SyncResult(masked(self.tracking), problems=[f"{words}; the next pass copies what is missing"])


def _answer(process: subprocess.Popen[str]) -> Any:
    """The next line that the process wrote; None if it has ended, maybe within a line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line.endswith("\n") else None


def main(task: Mapping[str, Any]) -> None:
    """In the new process: a pass for each line of stdin. Ends at once when the process that started it ends."""
    say, lines = conversation()
    asking = threading.Lock()  # several threads write cells

    def check() -> None:
        with asking:
            say({})
            lines.get()

    try:
        passes = MlflowSync(Study(Path(task["study"])), task["tracking"], check)
        while True:
            wanted = json.loads(lines.get())
            with scratch_folder() as folder, temporary_files_in(folder):  # removed by the next one if this process is killed
                result = passes.once(wanted["report"])
            say({"result": asdict(replace(result, runs={}))})
    except BaseException:
        os._exit(1)
