"""Short units of work are given to a process several at once, since each trial of Tune takes several messages.

How long a unit takes is known from stages of this store that were alike: the median of the last ones with the same component
and the same network, for the same amount of work. What was never measured so is given alone.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from grid.execution.job import Job, Outcome
from grid.execution.scheduler import Work
from grid.plan.history import Duration

SECONDS = 1.0  # that the units of a trial are expected to take together
MOST = 16  # units in a trial
KEPT, ENOUGH = 9, 3  # so many of the last durations count, and so few are too few: the first ones include the imports
OVERDUE = 5.0  # seconds after which a process gives back those that it has not begun
SHARES = 2  # of what waits, each process gets at most half of its share, so that all end at about the same time


@dataclass
class MeasuredSeconds:
    """Seconds per amount of work of the last stages of each component and network."""

    rates: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=KEPT)))

    def learn(self, durations: Iterable[Duration]) -> None:
        for one in durations:
            self.rates[one.workload.group, one.workload.network].append(one.seconds / (one.workload.amount or 1.0))

    def seconds(self, job: Job) -> float | None:
        """The expected duration of a job; None if too few were measured that are alike."""
        if not job.workload:
            return None
        known = self.rates.get((str(job.workload["group"]), str(job.workload["network"])), ())
        return statistics.median(known) * float(job.workload["amount"] or 1.0) if len(known) >= ENOUGH else None


def together(
    first: Work, ready: Iterable[Work], seconds: Callable[[Work], float | None], alike: Callable[[Work], bool], share: float
) -> Iterator[Work]:
    """The units of work that join the first one.

    Args:
        ready: units in the order of the queue; the first one that cannot join ends the search, so that their order stays
        seconds: expected duration of a unit; None if unknown
        alike: whether a unit reserves the same as the first one
        share: how many units may be given at once, the first one included
    """
    total = seconds(first)
    if total is None:
        return
    for work in islice(ready, max(0, min(MOST, int(share)) - 1)):
        more = seconds(work)
        if more is None or total + more > SECONDS or not alike(work):
            return
        total += more
        yield work


def in_turn(
    units: Mapping[str, list[Job]],
    perform: Callable[[str, list[Job]], Mapping[str, Outcome]],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Outcome]:
    """Performs units of work one after the other; the outcomes of all of them, by stage.

    Where it takes longer than expected, or the process was asked to stop, the rest is not begun and has no outcomes.
    """
    began, outcomes = clock(), dict[str, Outcome]()
    for id, jobs in units.items():
        if outcomes and (clock() - began > OVERDUE or any(one.ended == "stopped" for one in outcomes.values())):
            break
        outcomes |= perform(id, jobs)
    return outcomes


def own(work: Work, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes of the stages of a unit of work; empty if it was not begun."""
    return {job.id: outcomes[job.id] for job in work.jobs if job.id in outcomes}
