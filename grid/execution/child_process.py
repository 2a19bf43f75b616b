"""Processes of this program on this machine that end with the process that started them: both ends of their pipes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

# The first line on stdin has the path and the task. Nothing may be imported before the path is set.
_PROGRAM = """
import json, sys
task = json.loads(sys.stdin.readline())
sys.path[:] = task["path"]
from {module} import main
main(task["task"])
"""


def start(module: str, task: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Starts ``main(task)`` of a module; ``environment`` is added to that of this process.

    It is in a session of its own, so Ctrl-C reaches only this process. Its stdin stays open: where it closes, the process is
    to end (see ``conversation``).
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM.format(module=module)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        text=True,
    )
    send(process, {"path": sys.path, "task": task})
    return process


def send(process: subprocess.Popen[str], value: Any) -> None:
    """Writes a JSON value to stdin as one line; a process that has just died does not read it."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(value) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return  # its exit status says so


def kill_session(process: subprocess.Popen[Any]) -> None:
    """Kills a process that leads a session, and what it started there.

    Does nothing if its end was awaited: another process may have its id.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    """Kills the process and what it started, waits for its end and closes its pipes."""
    kill_session(process)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:  # it died before it read what was written
                continue


def how_ended(code: int) -> str:
    """The exit status of a process, in words: ``killed by SIGKILL`` or ``exit code 1``."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def conversation() -> tuple[Callable[[Any], None], queue.Queue[str]]:
    """In the started process: what writes a JSON value to stdout as one line, and the lines of stdin as they come.

    Where stdin closes, the process ends at once. It ends itself by ``os._exit``, since a thread waits for stdin. What libraries
    print to stdout goes to stderr from now on.
    """
    out, lines = os.fdopen(os.dup(1), "w"), queue.Queue[str]()
    os.dup2(2, 1)

    def say(value: Any) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return say, lines
