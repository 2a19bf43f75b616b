"""Which trainings are measured before they reserve memory, and when: each kind of them once, before the first one starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from grid.execution.job import Job
from grid.execution.memory_peak import Peak
from grid.execution.peaks import Peaks, first_training, key_of
from grid.execution.perform import finished, kinds_of
from grid.execution.scheduler import Work
from grid.execution.slots import Slots, room, slot_words
from grid.ledger.ledger import Ledger

LOOKED_AT = 64  # ready units of work at once; more wait while so many are measured


class Probes(ABC):
    """Runs ``grid.execution.memory_probe.peak_of_task`` in other processes."""

    @abstractmethod
    def start(self, key: str, job: Job, slot: Mapping[str, float]) -> None:
        """Starts a probe that reserves these resources; returns at once."""

    @abstractmethod
    def ended(self) -> Mapping[str, Peak | str]:
        """The probes that have ended since the last call, by key: what they measured, or why they did not."""


class Measurements:
    """Measures trainings of ready work, and knows what was measured.

    A training that cannot be measured reserves what it has without a measurement, and shows its error itself when it runs.

    Args:
        peaks: those that are known
        probes: runs the measurements, at most as many at once as there is room for
        slots: those of the nodes
        say: called with lines for the user
    """

    def __init__(self, peaks: Peaks, probes: Probes, slots: Slots, ledger: Ledger, say: Callable[[str], None]) -> None:
        self.peaks, self.probes, self.slots, self.ledger, self.say = peaks, probes, slots, ledger, say
        self._trainings: dict[str, tuple[str, Job] | None] = {}  # work id -> key and training that is to run
        self._running: dict[str, Work] = {}  # by key
        self._failed: set[str] = set()

    def known(self, works: Iterable[Work]) -> Iterator[Work]:
        """The first of these ready units of work, without those whose training is measured now or waits for that."""
        self._collect()
        return filter(self.ready, islice(works, LOOKED_AT))

    def ready(self, work: Work) -> bool:
        """Whether it is known what the work takes, or that it cannot be known; otherwise a measurement is started if there is
        room for one."""
        found = self._training(work)
        if found is None or found[0] in self._failed or self.peaks.get(found[0]) is not None:
            return True
        key, job = found
        slot = self._slot(work)
        if key not in self._running and len(self._running) < max(1, room(slot, self.slots.nodes)):
            self._running[key] = work
            self.say(f"{work.title}: measuring the memory of its training")
            self.probes.start(key, job, slot)
        return False

    def peak(self, work: Work) -> Peak | None:
        """What the training of the work was measured to take; None if there is none, or it cannot be measured."""
        found = self._training(work)
        return None if found is None else self.peaks.get(found[0])

    def _training(self, work: Work) -> tuple[str, Job] | None:
        """The training of the work that is not finished, if it is to be measured, and its key."""
        if work.id not in self._trainings:
            job = first_training(work.jobs)
            wanted = job is not None and self.slots.measured(job.kind, self._slot(work)) and not finished(self.ledger, job)
            self._trainings[work.id] = (key_of(job), job) if job is not None and wanted else None
        return self._trainings[work.id]

    def _slot(self, work: Work) -> dict[str, float]:
        """What the work reserves without a measurement."""
        return self.slots.suited(kinds_of(work.jobs, self.ledger))

    def _collect(self) -> None:
        for key, found in self.probes.ended().items():
            work = self._running.pop(key)
            if isinstance(found, Peak):
                self.peaks.put(key, found)
                kinds = kinds_of(work.jobs, self.ledger)
                slot = slot_words(self.slots.suited(kinds, found))
                self.say(f"{work.title}: its training took {found.words}; such work reserves {slot}")
            else:
                self._failed.add(key)
                self.say(f"{work.title}: not measured ({found}); it reserves {slot_words(self._slot(work))}")
