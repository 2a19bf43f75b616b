"""Which trial of an asynchronous search goes on when: against Algorithm 2 of the paper, written naively."""

import heapq
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from naive_asha import naive
from small import write

from grid.execution.job import Outcome, jobs_of
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.grid_file import read
from grid.spec.search import Slot
from grid.stages.asha import promotion

BASE = {"head": "dense", "targets": {"gender": {"loss": "binary"}}}
RUNGS = [1, 2, 4]
DONE = Outcome("done")


def planned(folder: Path, trials: int, reduction: int, metric: str = "validation_loss") -> Plan:
    search = {"trials": trials, "rungs": RUNGS, "reduction": reduction, "metric": metric, "scheduler": "asha"}
    launch = {"store": f"memory://{uuid.uuid4().hex}", "study": str(folder / "study")}
    grid = write(folder / "grid.yaml", BASE, axes={"layers": {"searched": {"search": search}}}, launch=launch, explainers=[])
    return make_plan(read(grid))


class Simulated:
    """Workers that take work from the queue of a plan; results are invented curves."""

    def __init__(self, plan: Plan, curves: np.ndarray, metric: str = "validation_loss") -> None:
        self.plan, self.curves, self.metric = plan, curves, metric
        self.ledger = Ledger(store_of(plan.grid))
        self.slots = {stage.id: slot for stage in plan.stages if isinstance(slot := stage.node.config.get("slot"), Slot)}
        self.queue: WorkQueue = queue_of(plan, jobs_of(plan.stages, store_of(plan.grid)))
        self.begun: list[tuple[float, int, int]] = []
        self.decided: dict[tuple[int, int], Any] = {}

    def begin(self, work: Work, now: float) -> bool:
        """Whether a trial is trained; otherwise the work has ended."""
        slot = self.slots[work.id]
        if slot.rung and (decision := promotion(self.ledger, work.id, slot)) is None:
            self.end(work.id, {"promoted": False})
            return False
        if slot.rung:
            self.decided[slot.place, slot.rung] = decision
        self.begun.append((now, slot.place, slot.rung))
        return True

    def end(self, id: str, more: dict[str, Any] | None = None) -> None:
        slot = self.slots[id]
        value = float(self.curves[slot.place][slot.epochs - 1])
        result = {"metrics": {self.metric: value}} if np.isfinite(value) else {"metrics": {}, "diverged": "loss is nan"}
        facts = {"trial": slot.place, "rung": slot.rung, **result, **(more or {})}
        self.ledger.begin("trial", id, {}).finish(facts, {}, "", [])
        self.queue.end(id, {id: DONE})

    def run(self, workers: int, seconds: np.ndarray, until: float = np.inf) -> None:
        """Until no trial is left, or up to a time: then the workers are killed."""
        running: list[tuple[float, int, int, str]] = []
        now = 0.0
        while True:
            while len(running) < workers and (work := self.take()) is not None:
                if self.begin(work, now):
                    slot = self.slots[work.id]
                    heapq.heappush(running, (now + seconds[slot.place, slot.rung], slot.place, slot.rung, work.id))
            if not running or running[0][0] > until:
                return
            now, *_, id = heapq.heappop(running)
            self.end(id)

    def take(self) -> Work | None:
        work = next((one for one in self.queue.ready() if one.id in self.slots), None)
        if work is not None:
            self.queue.start(work)
        return work


def curves_of(rng: np.random.Generator, trials: int) -> np.ndarray:
    return rng.permutation(trials * RUNGS[-1]).reshape(trials, RUNGS[-1]) / 10


@pytest.mark.parametrize("workers", [1, 3, 30])
@pytest.mark.parametrize(("trials", "reduction", "metric"), [(9, 3, "validation_loss"), (13, 2, "validation_accuracy")])
def test_trials_go_on_as_in_algorithm_2(tmp_path: Path, trials: int, reduction: int, metric: str, workers: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, workers, trials])
        curves, seconds = curves_of(rng, trials), rng.exponential(1.0, (trials, len(RUNGS))) * np.array([1, 1, 2])
        found = Simulated(planned(tmp_path, trials, reduction, metric), curves, metric)
        found.run(workers, seconds)
        wanted = naive(curves, RUNGS, reduction, metric == "validation_loss", workers, seconds)
        assert found.begun == wanted
        rungs = [rung for _, _, rung in wanted]
        assert rungs.count(1) >= trials // reduction
        assert not any(id in found.queue.missing for id in found.slots), "those that were not promoted have ended, too"


def test_more_trials_go_on_than_in_the_synchronous_form_if_the_results_get_better(tmp_path: Path) -> None:
    """Otherwise the comparison above could hold for successive halving."""
    curves = np.repeat(np.arange(9)[::-1, None], 4, axis=1).astype(float)
    found = Simulated(planned(tmp_path, 9, 3), curves)
    found.run(1, np.ones((9, 3)))
    rungs = [rung for _, _, rung in found.begun]
    assert rungs.count(1) == 7  # all but the two worst, and at most: Search.trainings
    assert found.begun[3][1:] == (2, 1), "the third result is the best of three"
    assert found.decided[2, 1] == {"rank": 1, "of": 3}


def test_a_killed_promotion_goes_on_although_others_are_better_by_now(tmp_path: Path) -> None:
    plan = planned(tmp_path, 9, 3)
    curves = np.repeat(np.arange(9)[::-1, None], 4, axis=1).astype(float)
    seconds = np.ones((9, 3))
    seconds[2, 1] = 100.0  # the first promoted trial
    first = Simulated(plan, curves)
    first.run(2, seconds, until=5.5)
    assert (2, 1) in {(trial, rung) for _, trial, rung in first.begun}
    second = Simulated(plan.renewed(), curves)
    ready = {(second.slots[work.id].place, second.slots[work.id].rung) for work in second.queue.ready()}
    assert (2, 1) in ready, "it is not among the best any more"
    assert (8, 0) in ready, "nor is the rung complete"
    second.run(1, np.ones((9, 3)))
    begun = [(trial, rung) for _, trial, rung in second.begun]
    assert begun.count((2, 1)) == 1
    assert second.decided[2, 1] == first.decided[2, 1] == {"rank": 1, "of": 3}
    done = {(trial, rung) for _, trial, rung in first.begun} - {(trial, rung) for trial, rung in begun}
    assert (0, 0) in done, "what had ended does not run again"


def test_results_of_other_code_are_ranked_anew(tmp_path: Path) -> None:
    """After ``--retry stale``: otherwise the trials that were the best before would be trained on, too."""
    plan = planned(tmp_path, 8, 2)
    curves = np.repeat(np.arange(8)[:, None], 4, axis=1).astype(float)
    Simulated(plan, curves).run(1, np.ones((8, 3)))
    for stage in plan.stages:
        if stage.stage == "trial":
            Ledger(store_of(plan.grid)).void("trial", stage.id, "for the test")
    again, new = Simulated(plan.renewed(), -curves), Simulated(planned(tmp_path, 8, 2), -curves)
    again.run(8, np.ones((8, 3)))
    new.run(8, np.ones((8, 3)))
    assert (again.begun, again.decided) == (new.begun, new.decided)


def test_trials_of_the_highest_rung_go_on_first(tmp_path: Path) -> None:
    """While workers are free when a result arrives, there is at most one trial to promote; after a kill there are several."""
    found = Simulated(planned(tmp_path, 9, 3), np.repeat(np.arange(9)[:, None], 4, axis=1).astype(float))
    ids = {(slot.place, slot.rung): id for id, slot in found.slots.items()}
    for trial, rung in [*((trial, 0) for trial in range(8)), (3, 1), (4, 1), (5, 1)]:
        found.queue.start(found.queue.waiting[ids[trial, rung]])
        found.end(ids[trial, rung])
    ready = [(found.slots[work.id].place, found.slots[work.id].rung) for work in found.queue.ready() if work.id in found.slots]
    assert ready == [(3, 2), (0, 1), (1, 1), (8, 0)]


def test_trials_that_diverged_never_go_on(tmp_path: Path) -> None:
    curves = np.full((9, 4), np.nan)
    curves[4] = 1.0
    found = Simulated(planned(tmp_path, 9, 3), curves)
    found.run(3, np.ones((9, 3)))
    assert {(trial, rung) for _, trial, rung in found.begun if rung} == {(4, 1)}  # one result makes no third of the next rung
    assert not any(id in found.queue.missing for id in found.slots)


def test_a_failed_trial_ends_the_search(tmp_path: Path) -> None:
    plan = planned(tmp_path, 9, 3)
    found = Simulated(plan, curves_of(np.random.default_rng(0), 9))
    work = found.take()
    assert work is not None
    found.queue.end(work.id, {work.id: Outcome("failed", "ValueError: no")})
    assert all(id in found.queue.failed for id, slot in found.slots.items() if slot.rung)
    assert sum(slot.rung == 0 for id, slot in found.slots.items() if id in found.queue.waiting) == 8
