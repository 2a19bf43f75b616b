"""A unit of work gives GPUs back: its stages that need the most run first, those that need fewer follow in another slot.

So a stage that runs no network holds no GPU, and the explanations of a training on eight devices hold one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from grid.execution.executor import Session
from grid.execution.job import Job, Outcome
from grid.execution.makespan import Piece
from grid.execution.memory_peak import Peak
from grid.execution.perform import devices_of, finished, unfinished, usable_devices_of
from grid.execution.scheduler import Work
from grid.execution.slots import Slots, room
from grid.ledger.attempt_times import GPU
from grid.ledger.ledger import Ledger
from grid.spec.stage_kind import stage_kind


def phases(jobs: Sequence[Job], slots: Slots) -> list[list[Job]]:
    """The jobs of a unit of work in groups that reserve ever fewer GPUs, each with the jobs that its own ones need.

    Args:
        jobs: each comes after those that it needs
        slots: what kinds of stages reserve; measured parts of a GPU count as whole ones
    """
    alone = {kind: slots.suited([kind]) for kind in {job.kind for job in jobs}}
    if len({slot.get(GPU, 0.0) for slot in alone.values()}) == 1 and all(job.usable_devices == 1 for job in jobs):
        return [list(jobs)]  # most units of work
    gpus: dict[str, float] = {}
    for job in reversed(jobs):
        slot = alone[job.kind]
        own = slot.get(GPU, 0.0) * max(job.devices, min(job.usable_devices, room(slot, slots.nodes)))
        gpus[job.id] = max(own, gpus.get(job.id, 0.0))
        for need in job.needs:
            gpus[need] = max(gpus[job.id], gpus.get(need, 0.0))
    amounts = sorted({gpus[job.id] for job in jobs}, reverse=True)
    return [[job for job in jobs if gpus[job.id] == amount] for amount in amounts]


def units_of(session: Session, slots: Slots) -> dict[tuple[tuple[str, ...], int], None]:
    """The kinds of stages to run that share a slot, and how many such slots they need at once; each pair once."""
    units = ([job for job in work.jobs if job.id in session.queue.missing] for work in session.queue.waiting.values())
    found = (phase for jobs in units if jobs for phase in phases(jobs, slots))
    return dict.fromkeys((tuple(dict.fromkeys(job.kind for job in one)), max(job.devices for job in one)) for one in found)


@dataclass
class Phases:
    """The phase that each unit of work is in, and what it reserves for it.

    Attributes:
        peak: what the training of a unit of work was measured to take; None: not measured
    """

    slots: Slots
    ledger: Ledger
    peak: Callable[[Work], Peak | None] = lambda work: None
    _jobs: dict[str, list[Job]] = field(default_factory=dict)  # work id -> jobs of its phase
    _earlier: dict[str, dict[str, Outcome]] = field(default_factory=dict)  # work id -> outcomes of its earlier phases

    def known(self, work: Work) -> bool:
        """Whether the phase of the unit of work is known; else ``piece`` asks the ledger, and what was measured."""
        return work.id in self._jobs

    def piece(self, work: Work) -> Piece:
        """What the phase reserves."""
        if not self.known(work):
            kinds = [job.kind for job in unfinished(self.jobs(work), self.ledger)]
            self.slots.prepare(work.id, kinds, self.peak(work), self.devices(work))
        devices = usable_devices_of(self.jobs(work), self.ledger, self.slots.room(work.id))
        return Piece(work.id, work.needs, self.slots.of(work.id), devices)

    def devices(self, work: Work) -> int:
        """The number of devices that the phase needs at once."""
        return devices_of(self.jobs(work), self.ledger)

    def jobs(self, work: Work) -> list[Job]:
        """The jobs of the phase, finished ones included: its process skips them, unless they turn out to be damaged."""
        if work.id not in self._jobs:
            rest = self._rest(work)
            later = {job.id for phase in phases(rest, self.slots)[1:] for job in phase} if rest else set()
            left = {job.id for job in rest} - later
            self._jobs[work.id] = [job for job in work.jobs if job.id in left or finished(self.ledger, job)] or list(work.jobs)
        return self._jobs[work.id]

    def end(self, work: Work, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """The outcomes with which the unit of work ends: those of all of its phases.

        If another phase follows, its jobs have the outcome "released", which puts the work back into the queue.
        """
        found = self._earlier.get(work.id, {}) | dict(outcomes)
        kept = all(one.ended == "done" or (one.ended == "failed" and _leaf(work, id)) for id, one in outcomes.items())
        if kept and (rest := [job for job in work.jobs if job.id not in _with_dependents(found, work)]):
            self._earlier[work.id] = found
            self._forget(work)
            return found | {job.id: Outcome("released") for job in rest}
        if any(one.ended == "damaged" for one in outcomes.values()):
            self._forget(work)  # a stage of an earlier phase may have to run again
        if any(one.ended == "rescaled" for one in outcomes.values()):
            self._jobs.pop(work.id, None)  # with more devices, stages that need one come later
        return found

    def _forget(self, work: Work) -> None:
        """The phase of the unit of work is determined again, and its slot."""
        self._jobs.pop(work.id, None)
        self.slots.forget(work.id)

    def _rest(self, work: Work) -> list[Job]:
        """The unfinished jobs, without those that failed in an earlier phase and those that depend on them."""
        dead = _with_dependents({id: one for id, one in self._earlier.get(work.id, {}).items() if one.ended == "failed"}, work)
        return [job for job in work.jobs if job.id not in dead and not finished(self.ledger, job)]


def _leaf(work: Work, id: str) -> bool:
    return any(stage_kind(job.kind).leaf for job in work.jobs if job.id == id)


def _with_dependents(outcomes: Mapping[str, Outcome], work: Work) -> Collection[str]:
    """The ids of stages with these outcomes, and of those that depend on one that failed."""
    dead = {id for id, one in outcomes.items() if one.ended != "done"}
    for job in work.jobs:
        if dead.intersection(job.needs):
            dead.add(job.id)
    return dead | set(outcomes)
