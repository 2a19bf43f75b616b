"""Runs programs in new processes that are forked from one that has imported the heavy packages, which saves seconds each."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

HEAVY = ["forked", "torch", "pytorch_lightning", "timm", "cv2", "grid.execution.launch", "modules.training.trainer"]
LAUNCH = [  # what a whole launch needs besides
    "grid.cli.main", "grid.execution.local", "grid.report.console", "mlflow.store.tracking.sqlalchemy_store",
    "grid.stages.detect_shard", "grid.stages.pretrain", "grid.stages.trial", "grid.stages.search", "grid.stages.evaluate",
    "grid.stages.explain", "grid.stages.score", "modules.training.recognizer", "datamodules.mtcnn", "warmed",
]  # fmt: skip
PATIENCE = 600.0  # seconds


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
        variables: environment variables in addition to those of this process when the first program was run
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*HEAVY, *LAUNCH])
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    words = (program, str(folder), list(arguments), list(path), str(out), str(err), dict(variables or {}))
    process = context.Process(target=_run, args=words)
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    printed, errors = (path.read_text() if path.exists() else "it did not start" for path in (out, err))
    assert process.exitcode is not None
    return process.exitcode, printed, errors


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
