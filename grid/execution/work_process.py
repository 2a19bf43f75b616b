"""A process that performs one unit of work after the other, started by ``grid.execution.work_processes``."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import Any

from grid.execution.child_process import conversation
from grid.execution.job import RunOptions
from grid.execution.perform import packed_outcomes, perform, unpacked_jobs


def main(task: Mapping[str, Any]) -> None:
    """Reads jobs from stdin, one unit of work per line, and answers with lines of progress and one of outcomes for each.

    Ends at SIGINT, after it has closed the attempt, and at once when the process that started it ends.

    Args:
        task: fields of ``RunOptions``
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been inherited as ignored
    say, works = conversation()
    options = RunOptions(**task)
    try:
        while True:
            jobs = unpacked_jobs(json.loads(works.get()))
            outcomes = perform(jobs, lambda label, row: say({"label": label, "row": row}), options)
            say({"outcomes": packed_outcomes(outcomes)})
    except KeyboardInterrupt:
        os._exit(130)  # without a traceback
