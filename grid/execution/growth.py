"""Trainings that run on fewer devices than they could use, and are to go on with more once there is room for them.

The launch asks such a training by an object in its attempt's folder, which rank 0 looks for after each checkpoint. The training
ends there and waits again, before all other work; placed again, it takes the devices that there was room for. That costs no
step, but the start of its processes, so it happens

* only where no waiting work could use a node that the training can use, and the room has been free for ``PATIENCE`` seconds,
  twice as long each further time;
* for one training at a time, so that two do not end for the same room.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from grid.execution.job import Job
from grid.execution.makespan import PENDING, Piece
from grid.execution.perform import finished
from grid.execution.scheduler import Work
from grid.execution.slots import Slots, room
from grid.ledger.ledger import Ledger
from grid.spec.stage_kind import stage_kind

LOOK = 2.0  # seconds between two looks
PATIENCE = 10.0  # seconds; between two units of work, room is free for less


@dataclass(frozen=True)
class Smaller:
    """A training that runs on fewer devices than it could use.

    Attributes:
        job: the training, of the unit of work
        slot: the resources of each of its devices
        devices: those that its unit of work has
    """

    work: Work
    job: Job
    slot: Mapping[str, float]
    devices: int


def smaller_of(work: Work, slot: Mapping[str, float], devices: int, ledger: Ledger) -> Smaller | None:
    """The unfinished training of a unit of work, if it could use more devices than the work has."""
    for job in work.jobs:
        if stage_kind(job.kind).epochs and job.usable_devices > devices and not finished(ledger, job):
            return Smaller(work, job, slot, devices)
    return None


class Growth:
    """Asks running trainings to end at a checkpoint and go on with more devices.

    Args:
        slots: knows the living nodes
        say: called with lines for the user
        free: what each living node has left now
        clock: seconds
    """

    def __init__(
        self,
        slots: Slots,
        ledger: Ledger,
        say: Callable[[str], None],
        free: Callable[[], Sequence[Mapping[str, float]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots, self.ledger, self.say, self.free, self.clock = slots, ledger, say, free, clock
        self._looked = clock()
        self._since: dict[str, float] = {}  # work id -> when there was room first
        self._asked: dict[str, str] = {}  # work id -> folder of the attempt that was asked
        self._times = Counter[str]()  # by work id

    def due(self) -> bool:
        """Whether the last look was ``LOOK`` seconds ago; the next one is now."""
        if self.clock() - self._looked < LOOK:
            return False
        self._looked = self.clock()
        return True

    def look(self, smaller: Sequence[Smaller], waiting: Sequence[Piece], end_idle: Callable[[], None]) -> None:
        """Asks at most one of these trainings.

        Args:
            waiting: other work that waits for room
            end_idle: ends processes that hold resources and compute nothing
        """
        there = [
            one for one in smaller if room(one.slot, self.slots.nodes) > one.devices and not self._needed(one.slot, waiting)
        ]
        self._since = {one.work.id: self._since[one.work.id] for one in there if one.work.id in self._since}
        asked = [one for one in smaller if one.work.id in self._asked and self._asked[one.work.id] == self._attempt(one)]
        self._asked = {one.work.id: self._asked[one.work.id] for one in asked}
        if not there or asked:
            return
        end_idle()
        free = self.free()
        for one in there:
            id, devices = one.work.id, min(one.job.usable_devices, one.devices + room(one.slot, free))
            if devices == one.devices:
                self._since.pop(id, None)
                continue
            since = self._since.setdefault(id, self.clock())
            long = self.clock() - since >= PATIENCE * 2 ** self._times[id]
            if long and (attempt := self._attempt(one)) is not None:
                self._ask(one, attempt, devices)
                return

    def _needed(self, slot: Mapping[str, float], waiting: Sequence[Piece]) -> bool:
        """Whether work that waits could use a node that has such slots: it would begin there when the training ends."""
        shared = [node for node in self.slots.nodes if room(slot, [node])]
        blocked = len(waiting) >= PENDING  # then Tune takes no further work, so the training could not begin again
        return blocked or any(room(one.slot, shared) and room(one.slot, self.slots.nodes) >= one.devices for one in waiting)

    def _attempt(self, one: Smaller) -> str | None:
        """The folder of the running attempt; None if it has not begun, or if another study computes this stage."""
        claims = self.ledger.claims(one.job.kind, one.job.id)
        if not claims or (claims[-1].get("devices"), claims[-1].get("study", "")) != (one.devices, one.job.study):
            return None
        return str(claims[-1]["folder"])

    def _ask(self, one: Smaller, attempt: str, devices: int) -> None:
        self.ledger.ask_rescale(one.job.kind, one.job.id, attempt, devices)
        self.slots.limit(one.work.id, devices)  # else it would wait for devices that other work holds
        self._asked[one.work.id] = attempt
        self._times[one.work.id] += 1
        self._since.clear()  # the room is no longer free
        said = f"there is room for {devices} devices instead of {one.devices}; it goes on with them from its next checkpoint"
        self.say(f"{one.work.title}: {said}")
