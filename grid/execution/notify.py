"""Runs a command of the user when a launch has ended: ``launch.notify`` gets JSON on its standard input."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grid.abort import LaunchAborted
from grid.execution.spending_limit import STOPPED
from grid.ledger.study import Study
from grid.results.progress import progress
from grid.secrets import masked_text
from grid.spec.grid_file import BadInput

SECONDS = 30.0  # that the command may take
FAILED = 20  # at most so many failed cells are listed


def check_command(command: str | None) -> None:
    """Checks ``launch.notify`` before a launch begins, which may take days.

    Raises:
        BadInput: it is blank, its quotes do not match, or its program is not there.
    """
    if command is None:
        return
    try:
        program = _words(command)[0]
    except ValueError as error:
        raise BadInput(f"launch.notify: {error}") from error
    if shutil.which(program) is None:
        raise BadInput(
            f"launch.notify: {program!r} is no program on this machine; correct its path, or leave out launch.notify"
        )


@contextmanager
def notifying(command: str | None, study: Path, say: Callable[[str], None]) -> Iterator[list[int]]:
    """Context manager around the running part of a launch; the caller appends the exit code to the list that it yields.

    The command gets the event ``done``, ``failed``, ``stopped`` (by a limit of spending), ``aborted`` or ``interrupted``. An
    error is reported and otherwise ignored: a launch never fails because of it.

    Args:
        command: a program and its arguments, as in a shell but without one; None: nothing runs
        say: prints a line for the user
    """
    codes: list[int] = []
    began = time.monotonic()
    event = "aborted"
    try:
        yield codes
        event = {0: "done", STOPPED: "stopped"}.get(codes[-1] if codes else 0, "failed")
    except KeyboardInterrupt:
        event = "interrupted"
        raise
    finally:
        if command:
            try:
                notify(command, message(event, Study(study), time.monotonic() - began))
            except LaunchAborted:  # raised here by a background thread, such as when the lease is lost
                raise
            except Exception as error:  # a damaged record or a command that fails does not change how the launch ended
                say(f"launch.notify: {' '.join(str(error).split())}")


def message(event: str, study: Study, seconds: float) -> dict[str, Any]:
    """What the command gets: ``event``, ``study``, ``path``, ``host``, ``seconds``, ``cells`` (state to number), ``failed``."""
    failed = [
        {"cell": cell.title, "reason": masked_text(str(cell.reason))}
        for cell in study.cells
        if not cell.hidden and cell.state == "failed"
    ]
    return {
        "event": event,
        "study": study.name,
        "path": str(study.path),
        "host": socket.gethostname(),
        "seconds": round(seconds, 1),
        "cells": dict(progress(study).states),
        "failed": failed[:FAILED],
    }


def notify(command: str, content: dict[str, Any]) -> None:
    """Runs the command with the content on its standard input.

    Raises:
        ValueError: it is blank, its quotes do not match, or it ended with an error; the message has what it printed last.
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took longer than ``SECONDS``; it was killed.
    """
    words = _words(command)
    text = json.dumps(content)
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it printed nothing").splitlines()[-1]
        raise ValueError(f"{words[0]} ended with exit code {done.returncode} ({last})")


def _words(command: str) -> list[str]:
    words = shlex.split(command)
    if not words:
        raise ValueError("the command is blank; name a program, or leave out launch.notify")
    return words
