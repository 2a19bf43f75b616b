"""Scheduling: shared stages run as separate units of work, then the remaining stages of each cell together. No Ray.

Ready work is taken in the order of its longest chain: its own expected duration and that of the longest chain of work that
waits for it (longest processing time first; with dependencies, the upward rank of Topcuoglu et al., IEEE TPDS 13, 2002). Before
all other work, trials of asynchronous searches that are promoted go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from grid.execution.job import NO_MEMORY, Job, Outcome
from grid.execution.promotions import Promotions
from grid.ledger.ledger import Ledger
from grid.plan.plan import FAILED, RUN, Plan, PlannedStage, store_of
from grid.spec.stage_kind import stage_kind
from grid.terminal import counted


@dataclass(frozen=True)
class Work:
    """One unit of work, run by one trial: jobs in order, once the stages in ``needs`` are finished."""

    id: str
    title: str
    jobs: tuple[Job, ...]
    needs: frozenset[str]  # stage ids


@dataclass
class WorkQueue:
    """Tracks the dependencies between units of work. ``take`` returns ready work; ``end`` records its outcomes."""

    waiting: dict[str, Work]
    missing: set[str]  # ids of stages without a marker
    running: dict[str, Work] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # work id -> one-line error
    elsewhere: set[str] = field(default_factory=set)  # ids of stages that were missing, and others computed meanwhile
    damaged: dict[str, int] = field(default_factory=dict)  # stage id -> how many times it was found damaged
    spare: Mapping[str, Work] = field(default_factory=dict)  # finished shared stages, in case they turn out to be damaged
    expected: Mapping[str, float | None] = field(default_factory=dict)  # stage id -> seconds; None: never measured
    placed: set[str] = field(default_factory=set)  # ids of work that was put back to a certain place
    learn: Callable[[WorkQueue, Sequence[Job]], None] = lambda queue, jobs: None  # gets what was computed, and may reorder
    measured: Callable[[Job], float | None] = lambda job: None  # seconds that alike stages took, if they were measured
    promotions: Promotions = field(default_factory=Promotions)  # which trials of asynchronous searches may go on
    closed: str | None = None  # why no more work is started, see ``grid.execution.spending_limit``

    def take(self) -> Work | None:
        """Takes the first ready work; None if all of it is waiting."""
        work = next(self.ready(), None)
        if work is not None:
            self.start(work)
        return work

    def ready(self) -> Iterator[Work]:
        """The waiting work whose inputs are all there, promotions of trials first, then the largest; none if it is closed."""
        return (work for work in self._startable() if self.closed is None)

    def _startable(self) -> Iterator[Work]:
        gated = self.promotions.rivals
        opened = [id for id in self.promotions.open(self.missing) if id in self.waiting]
        works = chain((self.waiting[id] for id in opened), (one for one in self.waiting.values() if one.id not in gated))
        return (work for work in works if not work.needs & self.missing)

    def start(self, work: Work) -> None:
        """Marks waiting work as running."""
        del self.waiting[work.id]
        self.running[work.id] = work

    def seconds(self, work: Work) -> float | None:
        """What the missing stages of a unit of work are expected to take, if alike ones were measured."""
        found = [self.measured(job) for job in work.jobs if job.id in self.missing]
        known = [one for one in found if one is not None]
        return sum(known) if len(known) == len(found) else None

    @property
    def stages_to_run(self) -> int:
        """The number of stages that the waiting work still has to compute."""
        return len(self.to_run)

    @property
    def to_run(self) -> frozenset[str]:
        """The ids of these stages."""
        return frozenset(job.id for work in self.waiting.values() for job in work.jobs) & self.missing

    @property
    def finished(self) -> bool:
        """True if nothing is running and no waiting work can become ready."""
        return not self.running and (self.closed is not None or not self.waiting or next(self._startable(), None) is None)

    def end(self, id: str, outcomes: Mapping[str, Outcome]) -> None:
        """Records the end of work; ``outcomes`` maps stage ids to outcomes, for the stages that were run."""
        work = self.running.pop(id)
        done = {stage for stage, outcome in outcomes.items() if outcome.ended == "done"}
        self.elsewhere |= {stage for stage in done & self.missing if outcomes[stage].elsewhere}
        self.missing -= done
        self._conclude(work, outcomes)
        self.learn(self, [job for job in work.jobs if job.id in done])

    def _conclude(self, work: Work, outcomes: Mapping[str, Outcome]) -> None:
        elsewhere = {"busy", "fenced"}  # another process computes one of its stages, or took it over meanwhile
        if any(outcome.ended in elsewhere for outcome in outcomes.values()):
            self.waiting[work.id] = work
            self.placed.add(work.id)
            return
        again = {"rescaled", "released", *NO_MEMORY.values()}  # it goes on with more devices, fewer GPUs, or a larger slot
        if any(outcome.ended in again for outcome in outcomes.values()):
            self._first(work)
            return
        damaged = next((outcome for outcome in outcomes.values() if outcome.ended == "damaged" and outcome.upstream), None)
        if damaged and damaged.upstream and self._again(work, damaged.upstream[1]):
            return
        errors = [outcome.error or outcome.ended for outcome in outcomes.values() if outcome.ended != "done"]
        if errors:
            self.fail(work, errors[0])
        else:
            self.done.append(work.id)

    def again(self, id: str) -> None:
        """Puts running work back, before all other work."""
        self._first(self.running.pop(id))

    def reorder(self, seconds: Mapping[str, float]) -> None:
        """Puts the waiting work in the order of its longest chain; work that was put back keeps its place.

        Args:
            seconds: stage id -> its expected duration
        """
        longest = largest_first(self.waiting.values(), self.missing, seconds)
        free = iter([work for work in longest if work.id not in self.placed])
        ordered = [work if work.id in self.placed else next(free) for work in self.waiting.values()]
        self.waiting = {work.id: work for work in ordered}

    def _first(self, work: Work) -> None:
        self.waiting = {work.id: work, **self.waiting}
        self.placed.add(work.id)

    def _again(self, work: Work, stage: str) -> bool:
        """Requeues work behind a damaged input that must be recomputed; False if that was already tried twice."""
        self.damaged[stage] = self.damaged.get(stage, 0) + 1
        if self.damaged[stage] > 2:
            return False
        self.missing.add(stage)
        if stage in self.spare and stage not in self.waiting and stage not in self.running:
            self._first(self.spare[stage])
        self.waiting[work.id] = work
        return True

    def fail(self, work: Work, error: str) -> None:
        """Marks the work as failed for good; work that depends on it fails too."""
        self.running.pop(work.id, None)
        self.failed[work.id] = error
        for other in list(self.waiting.values()):
            needs = other.needs | self.promotions.rivals.get(other.id, frozenset())
            if other.id in self.waiting and any(job.id in needs for job in work.jobs if job.id in self.missing):
                del self.waiting[other.id]
                self.fail(other, f"it needs {work.title}, which failed")


def queue_of(
    plan: Plan,
    jobs: Mapping[str, Job],
    shards: Mapping[str, Sequence[Job]] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> WorkQueue:
    """The queue of a plan's unfinished stages.

    Args:
        shards: stage id -> jobs that must run before it
        seconds: stage id -> its expected duration; None: work is taken in the order of the plan, shared stages first
    """
    stages: dict[str, PlannedStage] = {stage.id: stage for stage in plan.stages}
    todo = {stage.id for stage in plan.stages if stage.state == RUN}
    failed = {stage.id for stage in plan.stages if stage.state == FAILED}
    missing = todo | failed
    promotions = Promotions.of(plan.stages, Ledger(store_of(plan.grid)))
    waiting: dict[str, Work] = {}
    spare: dict[str, Work] = {}
    for stage in sorted((s for s in plan.stages if stage_kind(s.stage).shared), key=lambda s: stage_kind(s.stage).order):
        work = Work(stage.id, shared_title(stage, plan), (jobs[stage.id],), frozenset(stage.needs))
        spare[stage.id] = work
        if (work.needs | promotions.rivals.get(stage.id, frozenset())) & failed:
            failed.add(stage.id)  # stages that depend on it cannot run until the failure is retried
        elif stage.id in todo:
            parts = (shards or {}).get(stage.id, ())
            before = {job.id: Work(job.id, f"{job.label}, of {work.title}", (job,), work.needs) for job in parts}
            missing |= before.keys()
            waiting |= {**before, stage.id: replace(work, needs=work.needs | before.keys())}
    for cell in plan.cells:
        own = [id for id in cell.stages.values() if not stage_kind(stages[id].stage).shared]
        if cell.id is None or any(not stage_kind(stages[id].stage).leaf for id in failed & set(own)):
            continue
        broken = failed & set(own)  # explanations; their scores wait until the user retries them
        alive = [id for id in own if id not in broken and not broken.intersection(stages[id].needs)]
        if not todo & set(alive):
            continue
        # finished stages are included: a trial skips them, unless they turn out to be damaged
        jobs_of_cell = tuple(jobs[id] for id in alive)
        needs = frozenset(need for job in jobs_of_cell for need in stages[job.id].needs) - set(own)
        if needs & failed:
            continue
        waiting[cell.id] = Work(cell.id, cell.title, jobs_of_cell, needs)
    if seconds is not None:
        waiting = {work.id: work for work in largest_first(waiting.values(), missing, seconds)}
    return WorkQueue(waiting=waiting, missing=missing, spare=spare, promotions=promotions)


def largest_first(works: Iterable[Work], missing: Collection[str], seconds: Mapping[str, float]) -> list[Work]:
    """Work in the order of its longest chain, longest first; equal ones keep their order.

    Args:
        missing: ids of the stages to compute; the others take no time
        seconds: stage id -> its expected duration
    """
    works = list(works)
    waiting_for: dict[str, list[Work]] = {}
    for work in works:
        for need in work.needs:
            waiting_for.setdefault(need, []).append(work)
    chains: dict[str, float] = {}
    return sorted(works, key=lambda work: _chain(work, waiting_for, missing, seconds, chains), reverse=True)


def _chain(
    work: Work,
    waiting_for: Mapping[str, Sequence[Work]],
    missing: Collection[str],
    seconds: Mapping[str, float],
    known: dict[str, float],
) -> float:
    """The length of the longest chain that begins with a unit of work."""
    # no inner function: one that calls itself is a cycle, and keeps all this work until the garbage collector runs, seldom
    if work.id not in known:
        later = {other.id: other for job in work.jobs for other in waiting_for.get(job.id, ())}
        after = (_chain(other, waiting_for, missing, seconds, known) for other in later.values())
        known[work.id] = own_seconds(work, missing, seconds) + max(after, default=0.0)
    return known[work.id]


def own_seconds(work: Work, missing: Collection[str], seconds: Mapping[str, float]) -> float:
    """The expected duration of the stages of a unit of work that are missing."""
    return sum(seconds.get(job.id, 0.0) for job in work.jobs if job.id in missing)


def shared_title(stage: PlannedStage, plan: Plan) -> str:
    """The name of a shared stage: its label, the levels its cells have in common, and their number."""
    owners = [cell.levels for cell in plan.cells if cell.id in stage.cells]
    common = [level for axis, level in owners[0].items() if all(levels[axis] == level for levels in owners)]
    number = counted(len(owners), "cell")
    return f"{stage.label} of {' / '.join(common)} ({number})" if common else f"{stage.label} ({number})"
