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
from grid.execution.child_process import kill_session
from grid.execution.spending_limit import STOPPED
from grid.ledger.study import Study
from grid.results.progress import progress
from grid.secrets import SECRET, masked_text
from grid.spec.grid_file import BadInput

SECONDS = 30.0  # that the command may take
FAILED = 20  # at most so many failed cells are listed
SHORT = 6  # an argument with fewer characters is no secret, and may be any word


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
                say(f"launch.notify: {' '.join(masked_text(str(error)).split())}")


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
        ValueError: it is blank, its quotes do not match, it ended with an error, or it took longer than ``SECONDS`` and was
            killed with what it started. The message has what it printed last, without its arguments, which may be addresses
            with a token.
        OSError: it cannot be started.
    """
    words = _words(command)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        try:
            said, errors = process.communicate(json.dumps(content).encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired as late:
            if process.poll() is None:
                raise ValueError(f"{words[0]} took longer than {SECONDS:g} s and was killed") from None
            said, errors = late.stdout or b"", late.stderr or b""  # it ended; what it started keeps its pipes open
        finally:
            kill_session(process)
    if process.returncode:
        printed = errors.strip() or said.strip() or b"it printed nothing"
        last = printed.decode(errors="replace").splitlines()[-1]
        for word in sorted((word for word in words[1:] if len(word) >= SHORT), key=len, reverse=True):
            last = last.replace(word, SECRET)
        raise ValueError(f"{words[0]} ended with exit code {process.returncode} ({last})")


def _words(command: str) -> list[str]:
    words = shlex.split(command)
    if not words:
        raise ValueError("the command is blank; name a program, or leave out launch.notify")
    return words
