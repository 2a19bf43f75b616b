"""Forks the process that copies a forked driver's study to MLflow before the driver starts threads, which saves seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

MODULE = "grid.execution.sync_process"


def install() -> None:
    """For the rest of this process. The first of those processes is one that waits from now on; all others are new."""
    from grid.execution import child_process

    program = child_process._PROGRAM.format(module=MODULE)
    spares = [Spare(program)]

    def started(command: list[str], **named: Any) -> Any:
        return spares.pop() if spares and command[-1] == program else subprocess.Popen(command, **named)

    child_process.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=started, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL
    )


class Spare:
    """What ``child_process`` and its users need of a ``subprocess.Popen``; in the session of its parent, and ends with it."""

    def __init__(self, program: str) -> None:
        (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours_in)
            os.close(ours_out)
            _run(program, theirs_in, theirs_out)
        os.close(theirs_in)
        os.close(theirs_out)
        self.stdin, self.stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self) -> int:
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _run(program: str, stdin: int, stdout: int) -> None:
    """As ``python -c program``, which first waits for a line of stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # sent to its parent
    with open(os.devnull, "w") as nowhere:
        for end, place in ((stdin, 0), (stdout, 1), (nowhere.fileno(), 2)):
            os.dup2(end, place)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    finally:
        os._exit(1)
