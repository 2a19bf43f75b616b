"""What is ready to run: shared stages alone, then the rest of each cell together. Pure bookkeeping, no Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grid.execution.job import Job, Outcome
from grid.plan.plan import FAILED, RUN, Plan, PlannedStage
from grid.spec.stage_kind import stage_kind


@dataclass(frozen=True)
class Work:
    """What one trial runs: jobs in order, after other work."""

    id: str
    title: str
    jobs: tuple[Job, ...]
    needs: frozenset[str]  # ids of stages


@dataclass
class WorkQueue:
    """Who waits for what. ``take`` gives ready work; ``end`` takes note of how it ended."""

    waiting: dict[str, Work]
    missing: set[str]  # ids of stages that have no marker yet
    running: dict[str, Work] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # work id -> one line
    damaged: dict[str, int] = field(default_factory=dict)  # stage id -> how often it was found damaged
    spare: Mapping[str, Work] = field(default_factory=dict)  # finished shared stages, in case they turn out damaged

    def take(self) -> Work | None:
        """Ready work, shared stages first; None where all of it waits."""
        for work in self.waiting.values():
            if not work.needs & self.missing:
                del self.waiting[work.id]
                self.running[work.id] = work
                return work
        return None

    @property
    def stages_to_run(self) -> int:
        """How many stages the waiting work is to compute."""
        return len({job.id for work in self.waiting.values() for job in work.jobs} & self.missing)

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing that waits can ever be ready."""
        return not self.running and (not self.waiting or self._stuck())

    def _stuck(self) -> bool:
        return all(work.needs & self.missing for work in self.waiting.values())

    def end(self, id: str, outcomes: Mapping[str, Outcome]) -> None:
        """``outcomes``: stage id -> how it ended, for the stages that were tried."""
        work = self.running.pop(id)
        for stage, outcome in outcomes.items():
            if outcome.ended == "done":
                self.missing.discard(stage)
        damaged = next((outcome for outcome in outcomes.values() if outcome.ended == "damaged" and outcome.upstream), None)
        if damaged and damaged.upstream and self._again(work, damaged.upstream[1]):
            return
        errors = [outcome.error or outcome.ended for outcome in outcomes.values() if outcome.ended != "done"]
        if errors:
            self.fail(work, errors[0])
        else:
            self.done.append(work.id)

    def _again(self, work: Work, stage: str) -> bool:
        """Puts work back behind an input of it that is to be computed again; False where that was tried twice already."""
        self.damaged[stage] = self.damaged.get(stage, 0) + 1
        if self.damaged[stage] > 2:
            return False
        self.missing.add(stage)
        if stage in self.spare and stage not in self.waiting and stage not in self.running:
            self.waiting = {stage: self.spare[stage], **self.waiting}
        self.waiting[work.id] = work
        return True

    def fail(self, work: Work, error: str) -> None:
        """The work failed for good; what needs it fails with it."""
        self.running.pop(work.id, None)
        self.failed[work.id] = error
        for other in list(self.waiting.values()):
            if other.id in self.waiting and any(job.id in other.needs for job in work.jobs if job.id in self.missing):
                del self.waiting[other.id]
                self.fail(other, f"it needs {work.title}, which failed")


def queue_of(plan: Plan, jobs: Mapping[str, Job], shards: Mapping[str, Sequence[Job]] | None = None) -> WorkQueue:
    """The queue of a plan's open stages; ``shards`` are jobs that go before a stage, by its id."""
    stages: dict[str, PlannedStage] = {stage.id: stage for stage in plan.stages}
    todo = {stage.id for stage in plan.stages if stage.state == RUN}
    failed = {stage.id for stage in plan.stages if stage.state == FAILED}
    missing = todo | failed
    waiting: dict[str, Work] = {}
    spare: dict[str, Work] = {}
    for stage in sorted((s for s in plan.stages if stage_kind(s.stage).shared), key=lambda s: stage_kind(s.stage).order):
        work = Work(stage.id, shared_title(stage, plan), (jobs[stage.id],), frozenset(stage.needs))
        spare[stage.id] = work
        if work.needs & failed:
            failed.add(stage.id)  # nothing that needs it can run, until somebody retries what failed
        elif stage.id in todo:
            title = shared_title(stage, plan)
            before = {
                job.id: Work(job.id, f"{job.label}, of {title}", (job,), work.needs) for job in (shards or {}).get(stage.id, ())
            }
            missing |= before.keys()
            waiting |= {**before, stage.id: Work(stage.id, title, work.jobs, work.needs | before.keys())}
    for cell in plan.cells:
        own = [id for id in cell.stages.values() if not stage_kind(stages[id].stage).shared]
        if cell.id is None or any(not stage_kind(stages[id].stage).leaf for id in failed & set(own)):
            continue
        broken = failed & set(own)  # explanations; their scores wait until somebody retries them
        alive = [id for id in own if id not in broken and not broken.intersection(stages[id].needs)]
        if not todo & set(alive):
            continue
        # finished stages go along: a trial passes over them, unless they turn out damaged
        jobs_of_cell = tuple(jobs[id] for id in alive)
        needs = frozenset(need for job in jobs_of_cell for need in stages[job.id].needs) - set(own)
        if needs & failed:
            continue
        waiting[cell.id] = Work(cell.id, cell.title, jobs_of_cell, needs)
    return WorkQueue(waiting=waiting, missing=missing, spare=spare)


def shared_title(stage: PlannedStage, plan: Plan) -> str:
    """A shared stage's name: its label, what its cells have in common, and how many they are."""
    owners = [cell.levels for cell in plan.cells if cell.id in stage.cells]
    common = [level for axis, level in owners[0].items() if all(levels[axis] == level for levels in owners)]
    number = f"{len(owners)} cells" if len(owners) > 1 else "1 cell"
    return f"{stage.label} of {' / '.join(common)} ({number})" if common else f"{stage.label} ({number})"
