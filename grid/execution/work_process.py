"""A process that performs one unit of work after the other, started by ``grid.execution.work_processes``."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from grid.execution.child_process import answers, on_lines
from grid.execution.job import RunOptions
from grid.execution.perform import packed_outcomes, perform, unpacked_jobs


def main(task: Mapping[str, Any]) -> None:
    """Reads jobs from stdin, one unit of work per line, and answers with lines of progress and one of outcomes for each.

    Ends at SIGINT, after it has closed the attempt, and at once when the process that started it ends.

    Args:
        task: fields of ``RunOptions``
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been inherited as ignored
    out = answers()
    works: queue.Queue[str] = queue.Queue()
    threading.Thread(target=on_lines, args=(works.put,), daemon=True).start()
    options = RunOptions(**task)
    try:
        while True:
            jobs = unpacked_jobs(json.loads(works.get()))
            outcomes = perform(jobs, lambda label, row: _answer(out, {"label": label, "row": row}), options)
            _answer(out, {"outcomes": packed_outcomes(outcomes)})
    except KeyboardInterrupt:
        os._exit(130)  # without a traceback, and the thread above waits for input


def _answer(out: TextIO, value: Mapping[str, Any]) -> None:
    out.write(json.dumps(value) + "\n")
    out.flush()
