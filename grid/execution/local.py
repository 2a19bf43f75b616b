"""All work in this process, one unit after the other: no Ray, so breakpoints work."""

from __future__ import annotations

from functools import partial

from grid.execution.executor import Executor, Session
from grid.execution.job import RunOptions, accelerator, device_words
from grid.execution.perform import perform
from grid.spec.grid_file import Launch


class LocalExecutor(Executor):
    """Also what ``debug`` uses.

    Args:
        fast, raises: as in ``RunOptions``.
    """

    def __init__(self, launch: Launch, fast: bool = False, raises: bool = False) -> None:
        super().__init__(launch)
        device = "cpu" if launch.resources.gpus == 0 else accelerator()
        self.options = RunOptions(accelerator=device, fast=fast, raises=raises)

    def run(self, session: Session) -> None:
        while work := session.take():
            outcomes = perform(work.jobs, partial(session.report, work), self.options)
            session.end(work, outcomes)
            if any(outcome.ended == "stopped" for outcome in outcomes.values()):  # SIGTERM, met at a checkpoint
                raise KeyboardInterrupt

    def where(self) -> str:
        return f"in this process on {device_words(self.options.accelerator)}"
