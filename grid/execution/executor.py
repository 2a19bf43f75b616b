"""The interface that runs units of work: in this process, with Ray, or with a user-defined executor.

An executor takes ready work from a session, runs it somewhere, and reports the outcome back to the session:

    class InOrder(Executor):
        def run(self, session):
            while work := session.take():
                session.end(work, perform(work.jobs, partial(session.report, work)))

``perform`` may be called in any process that can access the ledger; ``packed_jobs`` and ``packed_outcomes`` from the same
module serialize jobs and outcomes as text. It raises ``grid.stages.ranks.RankLost`` if another process of a stage was lost, of
a further device or of the loader: call it again to resume a training, or report the work as lost.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid.execution.job import Job, Outcome
from grid.execution.perform import devices_of, finished, usable_devices_of
from grid.execution.scheduler import Work, WorkQueue
from grid.execution.slots import UNLIMITED
from grid.execution.spending_limit import SpendingLimit
from grid.ledger.ledger import Ledger
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import stage_kind
from grid.tracebacks import error_line

BUILT_IN = {"ray": "grid.execution.ray_tune.RayExecutor", "local": "grid.execution.local.LocalExecutor"}
Reserved = Callable[[Work], Mapping[str, float]]  # what a unit of work reserves: "CPU", "GPU", of all its devices together
Startable = Callable[[Iterator[Work]], Iterator[Work]]  # of ready work, what an executor would start now
LOST = "the process or node that ran it was lost too often"


@dataclass(frozen=True)
class Session:
    """The executor's interface to a running launch. Not thread-safe: call it from one thread."""

    queue: WorkQueue
    ledger: Ledger
    watch: Callable[[Work, str, Mapping[str, Any]], None] = lambda work, label, row: None
    ended: Callable[[Work], None] = lambda work: None
    check: Callable[[], None] = lambda: None  # raises if this launch must not start any more work
    say: Callable[[str], None] = lambda line: None  # prints a line for the user
    limit: SpendingLimit | None = None  # of what the study may spend
    alone: set[str] = field(default_factory=set)  # ids of work that was lost together with other work
    study: Path | None = None  # its folder, where measured memory is kept; None: nowhere

    @property
    def finished(self) -> bool:
        """True if nothing is running and no waiting work can become ready."""
        return self.queue.finished

    @property
    def kinds(self) -> set[str]:
        """The kinds of the stages to run."""
        return {job.kind for work in self.queue.waiting.values() for job in work.jobs if job.id in self.queue.missing}

    @property
    def devices(self) -> int:
        """The largest number of devices that a waiting unit of work needs at once."""
        return max((devices_of(work.jobs, self.ledger) for work in self.queue.waiting.values()), default=1)

    @property
    def usable_devices(self) -> int:
        """The largest number of devices that a training among the waiting work takes where there is room for them."""
        trainings = [[job for job in work.jobs if stage_kind(job.kind).epochs] for work in self.queue.waiting.values()]
        return max((usable_devices_of(jobs, self.ledger, UNLIMITED) for jobs in trainings), default=1)

    def take(self, reserved: Reserved | None = None, startable: Startable | None = None) -> Work | None:
        """Takes ready work and marks it as running.

        None if all waiting work depends on running work or would exceed a limit of spending, or if none is waiting.

        Args:
            reserved: what a unit of work reserves, for the limit; None: ``launch.resources`` for each of its devices
            startable: chooses from the ready work that a limit allows; None: all of it may start now

        Raises:
            LaunchAborted: another process has taken over the study.
        """
        self.check()
        works = self.affordable(self.queue.ready(), reserved)
        work = next(works if startable is None else startable(works), None)
        if work is not None:
            self.start(work, reserved)
        return work

    def affordable(self, works: Iterable[Work], reserved: Reserved | None = None) -> Iterator[Work]:
        """Those of ready units of work that may start; if a limit excludes all and none is running, it closes the queue.

        So ``works`` are all that there are; what can start now is chosen from those that are left.
        """
        refused = found = False
        for work in works:
            if self.limit is None or self.limit.allows(work, self.queue.missing, reserved and reserved(work)):
                found = True
                yield work
            else:
                refused = True
        if refused and not found and not self.queue.running and self.limit is not None:
            self.queue.closed = self.limit.words(self.queue.stages_to_run)

    def start(self, work: Work, reserved: Reserved | None = None) -> None:
        """Marks waiting work as running."""
        self.queue.start(work)
        if self.limit is not None:
            self.limit.begin(work, self.queue.missing, reserved and reserved(work))

    def report(self, work: Work, label: str, row: Mapping[str, Any]) -> None:
        """Shows the progress of one stage of the work."""
        self.watch(work, label, row)

    def end(self, work: Work, outcomes: Mapping[str, Outcome]) -> None:
        """Records the end of the work; ``outcomes`` is the return value of ``perform``."""
        self.queue.end(work.id, outcomes)
        self._stopped(work)
        self.ended(work)

    def again(self, work: Work) -> None:
        """Puts work whose process was lost back into the queue; it goes on from its last checkpoint."""
        self.queue.again(work.id)
        self._stopped(work)

    def lose(self, work: Work, error: str = LOST) -> None:
        """Records that the process running the work was lost and that this launch will not retry it."""
        left = [job for job in work.jobs if not finished(self.ledger, job) and not self.ledger.failure(job.kind, job.id)]
        if left:
            job = next((one for one in reversed(left) if self._begun(one)), left[0])
            self.ledger.lost(job.kind, job.id, job.identity, error, job.launch)
        self.queue.fail(work, error)
        self._stopped(work)
        self.ended(work)

    def _begun(self, job: Job) -> bool:
        """Whether this launch has begun the stage."""
        claims = self.ledger.claims(job.kind, job.id)
        return bool(claims) and claims[-1].get("launch", "") == job.launch

    def _stopped(self, work: Work) -> None:
        if self.limit is not None:
            self.limit.end(work)


class Executor(ABC):
    """Runs the work of one launch."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    @abstractmethod
    def run(self, session: Session) -> None:
        """Runs ready work until the session is finished.

        Raises:
            BadInput: it cannot start, for example because a cluster does not answer.
            LaunchAborted: it cannot continue.
        """

    def check_reachable(self) -> None:
        """Called before a study is changed for work that is to run; takes seconds at most.

        Raises:
            BadInput: what the work runs on cannot be reached.
        """
        return

    def check_work(self, store: Store, devices: int, usable: int, kinds: Collection[str]) -> None:
        """Called before work starts, and by ``facegrid plan``: checks what is known without starting anything.

        Args:
            store: of the ledger
            devices: the largest number of devices that a training needs at once
            usable: the largest number that one takes where there is room for them
            kinds: of the stages to run

        Raises:
            BadInput: the work cannot run with these settings, or not on this machine.
        """
        return

    def where(self) -> str:
        """Where the work runs, as printed in the first line of a launch: "on the CPU"."""
        return f"with {self.launch.executor}"


def executor_of(launch: Launch) -> Executor:
    """The executor named under ``launch.executor`` in the grid file.

    Raises:
        BadInput: no such executor exists.
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
    except Exception as error:  # a user's module may raise anything
        raise BadInput(f"launch.executor: {name!r} cannot be imported ({error_line(error)}); {known}") from error
    if not (isinstance(found, type) and issubclass(found, Executor)):
        raise BadInput(f"launch.executor: {name!r} is no class that derives from grid.execution.executor.Executor; {known}")
    return found(launch)
