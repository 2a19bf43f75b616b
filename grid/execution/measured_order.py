"""The expected durations that decide the order of work, and how the stages that end during a launch change them.

A stage is expected to take what stages with the same component and the same network took. Where there are none yet, the rate of
its component (seconds per operation, or per image of a detection) is multiplied by how much slower its network is than others
in the stages that were measured with it, of whatever kind: in logarithms, an additive model of component and network, in which
a network counts as average with the weight of one measurement. So a network that needs more time than its operations suggest,
which one training or pretraining shows, moves to the front of what still waits. A network without any measurement is taken for
a slow one, and so it is measured early: found slow at the end, it would run alone.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from grid.execution.job import Job
from grid.execution.scheduler import WorkQueue
from grid.execution.short_work import MeasuredSeconds
from grid.ledger.ledger import Ledger
from grid.plan.history import Duration, duration_of
from grid.plan.workload import Workload

OPERATIONS, IMAGES = 1e10, 10.0  # per second: only the order of work that was never measured depends on them
CAUTION = 2.0  # standard deviations by which a network that was never measured is taken for slower than the average
SHARE = 20.0  # the order is made again after at least that many times as long as that takes


def ordering(works: Mapping[str, Workload], measured: Iterable[Duration]) -> dict[str, float]:
    """Stage id -> the seconds that decide about the order of work.

    Args:
        works: stage id -> workload
        measured: on the devices of this launch; empty: durations are guessed from the amount of work
    """
    alike: dict[tuple[str, str], list[Duration]] = defaultdict(list)
    for one in measured:
        alike[one.workload.group, one.workload.network].append(one)
    levels = {key: fmean(map(_rate, found)) for key, found in alike.items()}
    rates, networks = _rates(levels)
    kinds: dict[str, list[float]] = defaultdict(list)
    for group, level in rates.items():
        kinds[_kind(group)].append(level)
    unknown = CAUTION * math.sqrt(fmean(factor**2 for factor in networks.values())) if networks else 0.0
    with_networks = [rates[group] for group, network in levels if network]

    def rate(work: Workload) -> float:
        if (level := levels.get((work.group, work.network))) is not None:
            return level
        same = kinds.get(_kind(work.group), with_networks if work.network else [])
        base = rates.get(work.group, fmean(same) if same else -math.log(OPERATIONS if work.network else IMAGES))
        return base + (networks.get(work.network, unknown) if work.network else 0.0)

    return {id: math.exp(rate(work)) * (work.amount or 1.0) for id, work in works.items()}


def _rates(found: Mapping[tuple[str, str], float]) -> tuple[dict[str, float], dict[str, float]]:
    """The logarithms of the rate of each component, and of the factor of each network: a ridge regression on the latter."""
    groups = list(dict.fromkeys(group for group, _ in found))
    networks = list(dict.fromkeys(network for _, network in found if network))
    if not groups:
        return {}, {}
    rows = np.zeros((len(found) + len(networks), len(groups) + len(networks)))
    for row, (group, network) in zip(rows, found, strict=False):
        row[groups.index(group)] = 1.0
        if network:
            row[len(groups) + networks.index(network)] = 1.0
    rows[len(found) :, len(groups) :] = np.eye(len(networks))
    solved = np.linalg.lstsq(rows, np.array([*found.values(), *[0.0] * len(networks)]), rcond=None)[0].tolist()
    return dict(zip(groups, solved, strict=False)), dict(zip(networks, solved[len(groups) :], strict=True))


def _rate(one: Duration) -> float:
    return math.log(one.seconds / (one.workload.amount or 1.0))


def _kind(group: str) -> str:
    return group.partition(" ")[0]


@dataclass
class MeasuredOrder:
    """Keeps the order of waiting work in step with what the stages of this launch took.

    Args:
        works: stage id -> workload
        measured: durations that were known before
        clock: seconds, to limit how often the order of a large queue is made again
    """

    works: Mapping[str, Workload]
    measured: list[Duration] = field(default_factory=list)
    clock: Callable[[], float] = time.monotonic
    alike: MeasuredSeconds = field(default_factory=MeasuredSeconds)
    _known: set[str] = field(default_factory=set)
    _due: float = -math.inf

    def __post_init__(self) -> None:
        self.alike.learn(self.measured)

    def seconds(self) -> dict[str, float]:
        """Stage id -> the seconds that decide about the order."""
        return ordering(self.works, self.measured)

    def ended(self, ledger: Ledger, queue: WorkQueue, jobs: Iterable[Job]) -> None:
        """Learns from those of these jobs that were computed, and puts the waiting work into its new order."""
        new = [job for job in jobs if job.id not in self._known]
        found = {job.id: duration_of(ledger, job.kind, job.id, self.works.get(job.id)) for job in new}
        self.learn(queue, {id: duration for id, duration in found.items() if duration is not None})

    def learn(self, queue: WorkQueue, durations: Mapping[str, Duration]) -> None:
        """Like ``ended``, from the durations of the stages."""
        self._known.update(durations)
        self.measured.extend(durations.values())
        self.alike.learn(durations.values())
        began = self.clock()
        if durations and began >= self._due:
            queue.reorder(self.seconds())
            self._due = self.clock() + SHARE * (self.clock() - began)
