"""How units of work are carried out: one interface for this process, for Ray, and for an executor of a user's own.

An executor asks a session for ready work, has it performed somewhere, and tells the session how that ended:

    class InOrder(Executor):
        def run(self, session):
            while work := session.take():
                session.end(work, perform(work.jobs, partial(session.report, work)))

``perform`` may be called in any process that sees the ledger; ``packed_jobs`` and ``packed_outcomes`` of the same module carry
jobs there and outcomes back as text.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from grid.execution.job import Outcome
from grid.execution.perform import finished
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.tracebacks import error_line
from grid.ledger.ledger import Ledger
from grid.spec.grid_file import BadInput, Launch

BUILT_IN = {"ray": "grid.execution.ray_tune.RayExecutor", "local": "grid.execution.local.LocalExecutor"}
LOST = "the process or node that ran it was lost too often"


@dataclass(frozen=True)
class Session:
    """What an executor works with while a launch runs. To be called from one thread."""

    queue: WorkQueue
    ledger: Ledger
    watch: Callable[[Work, str, Mapping[str, Any]], None] = lambda work, label, row: None
    ended: Callable[[Work], None] = lambda work: None
    check: Callable[[], None] = lambda: None  # raises where this launch must not start anything any more
    say: Callable[[str], None] = lambda line: None  # shows the user a line

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing that waits can ever be ready."""
        return self.queue.finished

    def take(self) -> Work | None:
        """Ready work, which now runs; None where all that waits needs work that runs, or where nothing waits.

        Raises:
            LaunchAborted: another process has taken over the study.
        """
        self.check()
        return self.queue.take()

    def report(self, work: Work, label: str, row: Mapping[str, Any]) -> None:
        """Shows where a stage of the work stands."""
        self.watch(work, label, row)

    def end(self, work: Work, outcomes: Mapping[str, Outcome]) -> None:
        """The work ended; ``outcomes`` as ``perform`` returns them."""
        self.queue.end(work.id, outcomes)
        self.ended(work)

    def lose(self, work: Work) -> None:
        """The process that performed the work is lost, and it is not to be tried again in this launch."""
        for job in work.jobs:
            if not finished(self.ledger, job):
                self.ledger.lost(job.kind, job.id, job.identity, LOST)
                break
        self.queue.fail(work, LOST)
        self.ended(work)


class Executor(ABC):
    """Carries out the work of one launch."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    @abstractmethod
    def run(self, session: Session) -> None:
        """Carries out ready work until the session is finished.

        Raises:
            BadInput: it cannot start, such as where a cluster does not answer.
            LaunchAborted: it cannot go on.
        """

    def where(self) -> str:
        """Where the work runs, as the first line of a launch says it: "on the CPU"."""
        return f"with {self.launch.executor}"


def executor_of(launch: Launch) -> Executor:
    """The executor that the grid file names under ``launch.executor``.

    Raises:
        BadInput: there is none of that name.
    """
    name = launch.executor
    module, _, cls = BUILT_IN.get(name, name).rpartition(".")
    known = f"known are {', '.join(BUILT_IN)} and the dotted path of your own class, such as my_package.my_module.MyExecutor"
    if name == "local" and launch.address is not None:
        raise BadInput(f"launch.address {launch.address!r} is of a Ray cluster, and launch.executor is local; leave one out")
    if not module:
        raise BadInput(f"launch.executor: {name!r} is no executor; {known}")
    try:
        found = getattr(importlib.import_module(module), cls, None)
    except Exception as error:  # whatever a user's own module raises
        raise BadInput(f"launch.executor: {name!r} cannot be imported ({error_line(error)}); {known}") from error
    if not (isinstance(found, type) and issubclass(found, Executor)):
        raise BadInput(f"launch.executor: {name!r} is no class that derives from grid.execution.executor.Executor; {known}")
    return found(launch)
