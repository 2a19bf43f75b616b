"""Forks what ``grid.execution.child_process`` starts from the process of ``forked``, which saves seconds each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from types import SimpleNamespace
from typing import Any

import forked
import pytest


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, until the end of the test. It starts the process that all are forked from if need be."""
    from grid.execution import child_process

    forked.context()
    monkeypatch.setattr(
        child_process, "subprocess", SimpleNamespace(Popen=Child, PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL)
    )


class Child(forked.Forked):
    """What ``child_process`` and its users need of a ``subprocess.Popen`` of ``python -c PROGRAM`` with pipes of text."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **_: Any) -> None:
        (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
        super().__init__(_run, (command[-1], _Passed(theirs_in), _Passed(theirs_out), dict(env)))
        for end in (theirs_in, theirs_out):
            os.close(end)
        self.stdin, self.stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


class _Passed:
    """A file descriptor that goes to a process of multiprocessing with its arguments."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> Any:
        return _received, (reduction.DupFd(self.descriptor),)


def _received(passed: Any) -> int:
    return passed.detach()


def _run(program: str, stdin: int, stdout: int, environment: Mapping[str, str]) -> None:
    forked.new_session()
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # depends on the environment
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    for end in (stdin, stdout):
        os.close(end)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
