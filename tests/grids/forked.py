"""Runs programs in new processes that are forked from one that has imported the heavy packages, which saves seconds each."""

from __future__ import annotations

import atexit
import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import spare_process

HEAVY = ["forked", "torch", "pytorch_lightning", "timm", "cv2", "grid.execution.launch", "modules.training.trainer"]
LAUNCH = [  # what a whole launch needs besides
    "grid.cli.main", "grid.execution.local", "grid.report.console", "mlflow.store.tracking.sqlalchemy_store",
    "grid.stages.detect_shard", "grid.stages.trial", "grid.stages.search", "grid.stages.evaluate",
    "grid.stages.explain", "grid.stages.score", "modules.training.recognizer", "datamodules.mtcnn", "ray.tune", "warmed",
]  # fmt: skip
PATIENCE = 600.0  # seconds
READ_AT_IMPORT = {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}  # environment variables, by PyTorch and by rich


class Forked:
    """A forked process that looks like a ``subprocess.Popen``."""

    def __init__(self, target: Any, words: tuple[Any, ...]) -> None:
        self._process = _started(target, words)
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """The exit code, -9 if it was killed by SIGKILL; None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return self._process.exitcode


class Program(Forked):
    """A program in a session of its own; its output goes to one file.

    Only its command line and the environment in /proc are not its own: they are those of the process that it is forked from.

    Args:
        environment: all environment variables
        path: what comes first on ``sys.path``
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        path: Sequence[str] = (),
    ) -> None:
        words = (program, str(folder), list(arguments), dict(environment), str(log), list(path))
        super().__init__(_run_alone, words)
        with contextlib.suppress(ProcessLookupError):  # it has ended
            while os.getsid(self.pid) != self.pid:
                time.sleep(0.001)


def run(program: str, folder: Path, arguments: Sequence[str] = (), path: Sequence[str] = ()) -> str:
    """Runs Python source in ``folder``, with ``path`` first on ``sys.path``; returns what it printed to stdout.

    Raises:
        AssertionError: it raised an exception; the message has what it printed to stderr.
    """
    code, out, err = ended(program, folder, arguments, path)
    assert code == 0, err
    return out


def ended(
    program: str,
    folder: Path,
    arguments: Sequence[str] = (),
    path: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """The same, however the program ends: its exit code (-9: killed by SIGKILL), what it printed to stdout and to stderr.

    Args:
        variables: environment variables in addition to those that this process was started with
    """
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    process = _started(_run, (program, str(folder), list(arguments), list(path), str(out), str(err), dict(variables or {})))
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    printed, errors = (path.read_text() if path.exists() else "it did not start" for path in (out, err))
    assert process.exitcode is not None
    return process.exitcode, printed, errors


@functools.cache
def context() -> Any:
    """What starts the forked processes, after it has started the process that all are forked from.

    That process belongs to no test: it has the environment variables that this process was started with. With those of the
    first test that needs it, it would be killed together with the processes of that test.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([*HEAVY, *LAUNCH])
    now = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(at_start() | READ_AT_IMPORT)
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(now)
    return found


def at_start() -> dict[str, str]:
    """The environment variables that this process was started with."""
    entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(entry).split("=", 1) for entry in entries if b"=" in entry)


def _started(target: Any, words: tuple[Any, ...]) -> Any:
    process = context().Process(target=target, args=words)
    process.start()
    return process


def _run(
    program: str, folder: str, arguments: list[str], path: list[str], out: str, err: str, variables: Mapping[str, str]
) -> None:
    os.chdir(folder)
    os.environ.update(variables)
    sys.argv = ["-c", *arguments]
    sys.path[:0] = path
    sys.dont_write_bytecode = True  # a file may be written twice within the second that bytecode is valid for
    with open(out, "w") as printed, open(err, "w") as errors, redirect_stdout(printed), redirect_stderr(errors):
        try:
            exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
        except SystemExit:
            raise
        except BaseException:
            traceback.print_exc()
            raise


def new_session() -> None:
    """Leaves the session of the process that this one was forked from, and its signal handlers."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _run_alone(
    program: str, folder: str, arguments: list[str], environment: Mapping[str, str], log: str, path: list[str]
) -> None:
    """As Python runs ``-c program`` in a new session."""
    new_session()
    os.chdir(folder)
    with open(log, "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # depends on the environment
    sys.argv = ["-c", *arguments]
    sys.path[:0] = ["", *path]
    if arguments[:1] == ["launch"]:
        spare_process.install()
    code: Any = 0
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        code = ended.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this function
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    atexit._run_exitfuncs()
    sys.exit(code)
