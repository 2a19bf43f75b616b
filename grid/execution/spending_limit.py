"""Limits on what a study may spend: work that would exceed one is not started."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from grid.execution.job import Job
from grid.execution.scheduler import Work
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.study import Study
from grid.results.spending import Spending, SpendingReader, spending_words
from grid.results.spending_stop import Stop
from grid.spec.grid_file import BadInput
from grid.spec.prices import Prices
from grid.spec.spending_limits import Limits
from grid.terminal import counted

SECONDS, SHARE = 1.0, 20.0  # the ledger is read again after SECONDS, and after SHARE times as long as that takes
STOPPED = 3  # exit code of a launch or worker that a limit has stopped


@dataclass
class SpendingLimit:
    """Decides whether work may start.

    What was spent, what running work is still expected to take, and the work itself must stay within the limits. Work that was
    never measured counts only from when it runs, so each worker exceeds a limit by at most the one unit that it is running. A
    limit on something that the work does not use, such as GPU-hours where it reserves no GPU, does not stop it.

    Args:
        expected: stage id -> seconds; None if unknown
        reserved: what a unit of work reserves ("CPU", "GPU"), if its executor does not say so
        jobs: of a unit of work, those that run in the slot that it reserves now; the others are counted when they get theirs
        capacity: the CPUs and GPUs that there are. Work that has to wait for them is not given out: the decision about it would
            be old when it starts. None: the executor takes work only when it can start
        clock: unix seconds, for the times of the ledger
        count: seconds that corrections of the clock do not move, for durations of this process
    """

    study: Study
    limits: Limits
    prices: Prices
    expected: Mapping[str, float | None]
    reserved: Callable[[Work], Mapping[str, float]]
    jobs: Callable[[Work], Sequence[Job]] = lambda work: work.jobs
    capacity: Callable[[], Mapping[str, float]] | None = None
    clock: Callable[[], float] = time.time
    count: Callable[[], float] = time.monotonic
    started: dict[str, tuple[float, float, Mapping[str, float]]] = field(default_factory=dict)  # began, seconds, reserved

    def __post_init__(self) -> None:
        self.limits.check(self.prices)
        most = (self.limits.gpu_hours, self.limits.cpu_hours, self.limits.cost)
        self._most = np.array([math.inf if one is None else one for one in most])
        self._reader = SpendingReader(self.study, self.prices)
        self._spent, self._read, self._pause = Spending(), float("-inf"), 0.0
        self._there: Mapping[str, float] = {}
        self._counted = float("-inf")  # when, by time.monotonic

    def spent(self, fresh: bool = False) -> Spending:
        """What the study has spent; read again at most every few seconds, unless ``fresh``."""
        now = self.count()
        if fresh or now - self._read >= self._pause:
            began = time.monotonic()
            self._spent = self._reader.spent(self.clock())
            if self.limits.cost is not None and self._spent.cost is None:
                raise BadInput(
                    f"--max-cost: launch.prices.gpu_hour has no price for {' and '.join(self._spent.without_price)}, which was "
                    f"used (known: {', '.join(self.prices.gpu_hour) or 'none'}); add its type, or any"
                )
            self._read, self._pause = now, max(SECONDS, SHARE * (time.monotonic() - began))
        return self._spent

    def allows(self, work: Work, missing: set[str], reserved: Mapping[str, float] | None = None) -> bool:
        """Whether the work may start.

        Args:
            missing: ids of the stages that were not computed yet
            reserved: what it reserves, where the executor knows
        """
        wanted = reserved if reserved is not None else self.reserved(work)
        if self.started and not self._room(wanted):
            return False
        spent, now = self.spent(), self.count()
        total = np.array([spent.gpu_hours, spent.cpu_hours, spent.cost or 0.0])
        used = self._use(1.0, wanted) > 0
        if (total >= self._most)[used].any():
            return False
        for began, seconds, held in self.started.values():
            total += self._use(max(0.0, seconds - (now - began)), held)
        total += self._use(self._seconds(work, missing), wanted)
        return bool((total <= self._most)[used].all())

    def begin(self, work: Work, missing: set[str], reserved: Mapping[str, float] | None = None) -> None:
        """Notes that the work was started."""
        held = reserved if reserved is not None else self.reserved(work)
        self.started[work.id] = (self.count(), self._seconds(work, missing), held)
        self._reader.running.update(job.id for job in work.jobs)

    def end(self, work: Work) -> None:
        """Notes that the work has ended, or waits again."""
        self.started.pop(work.id, None)
        self._reader.running.difference_update(job.id for job in work.jobs)
        self._pause = 0.0  # its attempts are read before anything else starts

    def words(self, stages: int) -> str:
        """Why no more work starts; ``stages`` are left."""
        limit = self.limits.words(self.prices.currency)
        return (
            f"the limit of {limit} leaves no room for more work: the study has {spending_words(self.spent(fresh=True))}, and "
            f"{counted(stages, 'stage')} are left; a higher limit goes on from here"
        )

    def stop(self, stages: int) -> Stop:
        """For the study's record: that this limit ended a launch or worker with so many stages left."""
        return Stop(self.limits.words(self.prices.currency), self.limits.options, stages)

    def _room(self, wanted: Mapping[str, float]) -> bool:
        now = time.monotonic()
        if self.capacity is not None and now - self._counted >= SECONDS:  # all ready work may be asked about at once
            self._there, self._counted = self.capacity(), now
        there = self._there
        held = {name: sum(one.get(name, 0.0) for _, _, one in self.started.values()) for name in wanted}
        return all(held[name] + amount <= there[name] + 1e-9 for name, amount in wanted.items() if name in there)

    def _seconds(self, work: Work, missing: set[str]) -> float:
        return sum(self.expected.get(job.id) or 0.0 for job in self.jobs(work) if job.id in missing)

    def _use(self, seconds: float, held: Mapping[str, float]) -> np.ndarray:
        """GPU-hours, CPU-hours and money."""
        hours = seconds / 3600
        cpu, gpu = hours * held.get(CPU, 0.0), hours * held.get(GPU, 0.0)
        of_gpu = max(self.prices.gpu_hour.values(), default=0.0)  # the type is not known before it runs
        return np.array([gpu, cpu, cpu * self.prices.cpu_hour + gpu * of_gpu])
