"""Runs programs in new processes that are forked from one that has imported the heavy packages, which saves seconds each."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

HEAVY = ["forked", "torch", "pytorch_lightning", "timm", "cv2", "grid.execution.launch", "modules.training.trainer"]
PATIENCE = 300.0  # seconds


def run(program: str, folder: Path, arguments: Sequence[str] = (), path: Sequence[str] = ()) -> str:
    """Runs Python source in ``folder``, with ``path`` first on ``sys.path``; returns what it printed to stdout.

    Raises:
        AssertionError: it raised an exception; the message has what it printed to stderr.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    words = (program, str(folder), list(arguments), list(path), str(out), str(err))
    process = context.Process(target=_run, args=words)
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == 0, err.read_text() if err.exists() else f"it did not start ({process.exitcode})"
    return out.read_text()


def _run(program: str, folder: str, arguments: list[str], path: list[str], out: str, err: str) -> None:
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    sys.path[:0] = path
    sys.dont_write_bytecode = True  # a file may be written twice within the second that bytecode is valid for
    with open(out, "w") as printed, open(err, "w") as errors, redirect_stdout(printed), redirect_stderr(errors):
        try:
            exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc()
            raise
