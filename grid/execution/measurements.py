"""Which trainings are measured before they reserve memory, and when: each kind of them once, before the first one starts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from grid.execution.job import Job
from grid.execution.memory_peak import Peak, gpu_types
from grid.execution.peaks import Peaks, first_training, key_of
from grid.execution.perform import devices_of, finished, unfinished
from grid.execution.phases import phases
from grid.execution.scheduler import Work
from grid.execution.slots import Slots, room, slot_words
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.ledger import Ledger
from grid.ledger.measurement_times import begin_measurement, change_measurement

LOOKED_AT = 64  # ready units of work at once; more wait while so many are measured


@dataclass(frozen=True)
class Probe:
    """A training to measure: ``key`` of all that are like it, and the resources to reserve meanwhile."""

    key: str
    job: Job
    slot: Mapping[str, float]


class Measurements:
    """Measures trainings of ready work, and knows what was measured.

    A training that cannot be measured reserves what it has without a measurement, and shows its error itself when it runs.

    Args:
        peaks: those that are known
        slots: of the units of work
        say: called with lines for the user
    """

    def __init__(self, peaks: Peaks, slots: Slots, ledger: Ledger, say: Callable[[str], None]) -> None:
        self.peaks, self.slots, self.ledger, self.say = peaks, slots, ledger, say
        self._trainings: dict[str, tuple[str, Job] | None] = {}  # work id -> key and training that is to run
        self._kinds: dict[str, list[str]] = {}  # work id -> kinds of its first phase; a limit asks again and again
        self._running: dict[str, Work] = {}  # by key
        self._times: dict[str, str] = {}  # key -> id of the record of its time
        self._failed: set[str] = set()

    def known(self, works: Iterable[Work]) -> Iterator[Work]:
        """The first of these ready units of work, without those whose training is measured now or waits for that."""
        return filter(self.ready, islice(works, LOOKED_AT))

    def ready(self, work: Work) -> bool:
        """Whether it is known what the work takes, or that it cannot be known."""
        found = self._training(work)
        return found is None or found[0] in self._failed or self.peak(work) is not None

    def begin(self, works: Iterable[Work]) -> Probe | None:
        """The next training to measure, of these ready units of work; call ``end`` with its key.

        None if there is none, or if so many are measured already as there is room for.
        """
        for work in islice(works, LOOKED_AT):
            found = None if self.ready(work) else self._training(work)
            if found is None or found[0] in self._running:
                continue
            slot = self._slot(work)
            if len(self._running) >= max(1, room(slot, self.slots.nodes)):
                return None
            self._running[found[0]] = work
            self.say(f"{work.title}: measuring the memory of its training")
            return Probe(*found, slot)
        return None

    def began(self, key: str, device: str | None, seconds: float) -> None:
        """Records that a training has been measured on a device for so many seconds; this counts as spent until ``end``.

        Called again once the device is known (as in claims), which is None before.
        """
        if self.peaks.study is None:
            return
        if key not in self._times:
            slot = self._slot(self._running[key])
            reserved = {name: slot[name] for name in (CPU, GPU) if name in slot}
            self._times[key] = uuid.uuid4().hex
            begin_measurement(self.peaks.study, self._times[key], time.time() - seconds, reserved, device)
        elif device is not None:
            change_measurement(self.peaks.study, self._times[key], device=device)

    def end(self, key: str, found: Peak | str) -> None:
        """Records a peak, or says why there is none, such as that its process was lost."""
        work = self._running.pop(key)
        if self.peaks.study is not None and key in self._times:
            change_measurement(self.peaks.study, self._times.pop(key), ended=time.time())
        if isinstance(found, Peak) and not found.suits(self._slot(work), ()):
            found = "its process saw no GPU" if self._slot(work).get("GPU") else "it ran on a GPU"
        if isinstance(found, Peak):
            found = replace(found, types=gpu_types(self.slots.nodes))
            self.peaks.put(key, found)
            slot = self.slots.suited(self._kinds_of(work), found, devices_of(work.jobs, self.ledger))
            what = "each of its devices" if found.several else "such work"
            self.say(f"{work.title}: its training took {found.words}; {what} reserves {slot_words(slot)}")
        else:
            self._failed.add(key)
            self.say(f"{work.title}: not measured ({found}); it reserves {slot_words(self._slot(work))}")

    def peak(self, work: Work) -> Peak | None:
        """What the training of the work was measured to take on such nodes; None if there is none, or it cannot be measured."""
        found = self._training(work)
        return None if found is None else self.peaks.get(found[0], self._slot(work), self.slots.nodes)

    def least(self, work: Work) -> dict[str, float]:
        """The CPUs and GPUs that the work will reserve at least, before it is measured."""
        return self.slots.least(self._kinds_of(work), devices_of(work.jobs, self.ledger))

    def _training(self, work: Work) -> tuple[str, Job] | None:
        """The training of the work that is not finished, if it is to be measured, and its key."""
        if work.id not in self._trainings:
            job = first_training(work.jobs)
            self._trainings[work.id] = (key_of(job), job) if job is not None and self._wanted(work, job) else None
        return self._trainings[work.id]

    def _wanted(self, work: Work, job: Job) -> bool:
        if not self.slots.measures(job.kind):  # most launches measure nothing, and the slot needs looks into the ledger
            return False
        slot = {} if job.usable_devices > 1 else self._slot(work)  # each of several devices has a whole GPU
        return self.slots.measured(job.kind, slot) and not finished(self.ledger, job)

    def _slot(self, work: Work) -> dict[str, float]:
        """What the work reserves without a measurement."""
        return self.slots.suited(self._kinds_of(work))

    def _kinds_of(self, work: Work) -> list[str]:
        if work.id not in self._kinds:
            phase = phases(unfinished(work.jobs, self.ledger), self.slots)[0]
            self._kinds[work.id] = [job.kind for job in phase]
        return self._kinds[work.id]
