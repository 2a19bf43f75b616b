"""Runs all work sequentially in this process, without Ray, so that breakpoints work."""

from __future__ import annotations

from functools import partial

from grid.execution.executor import Executor, Session
from grid.execution.job import RunOptions, accelerator, device_words
from grid.execution.perform import perform
from grid.spec.grid_file import Launch


class LocalExecutor(Executor):
    """Runs work sequentially in this process; ``debug`` uses it too.

    Args:
        fast, raises: see ``RunOptions``.
    """

    def __init__(self, launch: Launch, fast: bool = False, raises: bool = False) -> None:
        super().__init__(launch)
        device = "cpu" if launch.resources.gpus == 0 else accelerator()
        self.options = RunOptions(accelerator=device, fast=fast, raises=raises)

    def run(self, session: Session) -> None:
        while work := session.take():
            outcomes = perform(work.jobs, partial(session.report, work), self.options)
            session.end(work, outcomes)
            if any(outcome.ended == "stopped" for outcome in outcomes.values()):  # SIGTERM, handled at a checkpoint
                raise KeyboardInterrupt

    def where(self) -> str:
        return f"in this process on {device_words(self.options.accelerator)}"
