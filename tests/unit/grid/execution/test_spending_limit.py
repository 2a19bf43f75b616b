"""A limit on spending, with a clock of its own: real ledger, real queue, stages that only claim, wait and end."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from small import SMALL

from grid.execution.executor import Session
from grid.execution.job import Outcome, jobs_of
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.execution.spending_limit import SpendingLimit
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.study import Study
from grid.plan.plan import make_plan, store_of
from grid.plan.study_record import write_plan
from grid.spec.grid_file import BadInput, Grid
from grid.spec.prices import Prices
from grid.spec.spending_limits import Limits

HOUR = 3600.0
SLOT = {"CPU": 2.0, "GPU": 1.0}
RATES = {f"r{number}": {"recipe.lr": 0.01 * number} for number in range(1, 9)}  # eight cells of one stage each


@dataclass
class World:
    """Workers that take ``hours`` for each stage, by the clock ``now`` (seconds); the ledger's clock is patched to it.

    ``ahead``: seconds by which the wall clock was set forward; negative: back
    """

    grid: Grid
    hours: float = 1.0
    now: float = 1e9
    ahead: float = 0.0
    queue: WorkQueue = field(init=False)

    def session(self, limits: Limits, known: bool, prices: Prices | None = None) -> Session:
        plan = make_plan(self.grid)
        record = write_plan(plan, self.grid)
        jobs = jobs_of(plan.stages, store_of(self.grid), study=record["study_id"])
        self.queue = queue_of(plan, jobs)
        expected = {stage.id: self.hours * HOUR if known else None for stage in plan.stages}
        limit = SpendingLimit(
            Study(plan.study),
            limits,
            prices or Prices(),
            expected,
            lambda work: SLOT,
            clock=lambda: self.now + self.ahead,
            count=lambda: self.now,
        )
        self.ledger = Ledger(store_of(self.grid))
        return Session(self.queue, self.ledger, limit=limit)

    def run(self, session: Session, workers: int, fails: bool = False) -> int:
        """Runs until nothing more starts; returns how many stages were begun."""
        running: list[tuple[float, int, Work, Any, Lock]] = []
        begun = 0
        while not session.finished:
            while len(running) < workers and (work := session.take()):
                (job,) = work.jobs
                lock = Lock(self.ledger.store, "train", prefix=f"train/{job.id}/lease")
                lock.__enter__()
                about = {"study": job.study, "reserved": SLOT}
                attempt = self.ledger.begin(job.kind, job.id, job.identity, device="gpu 0 (NVIDIA A100)", about=about)
                attempt.started, attempt.clock = self.now + self.ahead, self.now
                begun += 1
                heapq.heappush(running, (self.now + self.hours * HOUR, begun, work, attempt, lock))
            if not running:
                continue
            self.now, _, work, attempt, lock = heapq.heappop(running)
            if fails:
                attempt.fail("ValueError: no", "", True)
            else:
                attempt.finish({}, {}, work.jobs[0].source, [])
            lock.__exit__(None, None, None)
            session.end(work, {work.jobs[0].id: Outcome("failed", "no") if fails else Outcome("done")})
        return begun


@pytest.fixture
def world(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(make(axes={"rate": RATES}, base=dict(SMALL["base"]), protocols=[], explainers=[]))
    for module in ("grid.ledger.ledger", "grid.ledger.attempt"):
        monkeypatch.setattr(f"{module}.time", Clock(found))
    return found


class Clock:
    """Stands for the module ``time`` where attempts are begun and ended."""

    def __init__(self, world: World) -> None:
        self.world = world

    def time(self) -> float:
        return self.world.now + self.world.ahead

    def monotonic(self) -> float:
        return self.world.now


def spent(session: Session) -> float:
    assert session.limit is not None
    return session.limit.spent(fresh=True).gpu_hours


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("limit", [0.5, 2.0, 4.5])
def test_an_unknown_duration_overshoots_by_no_more_than_one_piece_per_worker(world: World, workers: int, limit: float) -> None:
    session = world.session(Limits(gpu_hours=limit), known=False)
    world.run(session, workers)
    assert limit <= spent(session) <= limit + workers * world.hours
    assert world.queue.closed is not None
    assert f"the limit of {limit:g} GPU-hours leaves no room" in world.queue.closed
    assert f"{world.queue.stages_to_run} stages are left" in world.queue.closed


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("limit", [0.5, 2.0, 4.5])
def test_known_durations_never_exceed_it(world: World, workers: int, limit: float) -> None:
    session = world.session(Limits(gpu_hours=limit), known=True)
    assert world.run(session, workers) == int(limit), "as many whole stages as fit"
    assert spent(session) == pytest.approx(int(limit))
    assert world.queue.closed is not None


def test_a_later_launch_counts_what_the_earlier_one_spent(world: World) -> None:
    limits = Limits(gpu_hours=3.0)
    assert world.run(world.session(limits, known=True), 1) == 3
    session = world.session(limits, known=True)
    assert world.run(session, 1) == 0
    assert spent(session) == pytest.approx(3.0)
    assert world.run(world.session(Limits(gpu_hours=5.0), known=True), 1) == 2


def test_failed_attempts_count(world: World) -> None:
    session = world.session(Limits(gpu_hours=3.0), known=True)
    assert world.run(session, 1, fails=True) == 3
    assert spent(session) == pytest.approx(3.0)


def test_cpu_hours_and_money_are_limits_too(world: World) -> None:
    assert world.run(world.session(Limits(cpu_hours=4.0), known=True), 1) == 2, "two CPUs for an hour each time"
    prices = Prices(cpu_hour=0.5, gpu_hour={"any": 2.0})
    session = world.session(Limits(cost=9.5), known=True, prices=prices)
    assert world.run(session, 1) == 1, "6 were spent, and one hour costs 2 x 0.5 + 2"
    assert "USD 9.5" in str(world.queue.closed)


def test_enough_room_changes_nothing(world: World) -> None:
    session = world.session(Limits(gpu_hours=8.0), known=True)
    assert world.run(session, 3) == 8
    assert (world.queue.closed, len(world.queue.done)) == (None, 8)


def test_what_the_executor_reserves_counts_instead_of_the_default(world: World) -> None:
    session = world.session(Limits(gpu_hours=2.0), known=True)

    def four(work: Work) -> Mapping[str, float]:
        return {"CPU": 1.0, "GPU": 4.0}

    assert session.take(four) is None
    assert world.queue.closed is not None


def test_work_that_would_wait_for_room_is_not_given_out(world: World) -> None:
    """Ray Tune takes work ahead; what it has taken it starts, whatever was spent meanwhile."""
    session = world.session(Limits(gpu_hours=0.5), known=False)
    assert session.limit is not None
    session.limit.capacity = lambda: {"CPU": 100.0, "GPU": 2.0}
    taken = [work for work in (session.take() for _ in range(5)) if work is not None]
    assert len(taken) == 2
    assert world.queue.closed is None
    session.end(taken[0], {job.id: Outcome("done") for job in taken[0].jobs})
    assert session.take() is not None
    small = world.session(Limits(gpu_hours=0.5), known=False)
    assert small.limit is not None
    small.limit.capacity = lambda: {"GPU": 0.0}
    assert small.take() is not None, "the executor says itself that nothing has room"


def test_the_nodes_are_counted_once_for_all_ready_work(world: World) -> None:
    session = world.session(Limits(gpu_hours=100.0), known=False)
    counted: list[int] = []

    def capacity() -> dict[str, float]:
        counted.append(1)
        return {"GPU": 1.0}

    assert session.limit is not None
    session.limit.capacity = capacity
    assert session.take() is not None
    assert list(session.affordable(world.queue.ready())) == []
    assert len(world.queue.waiting) == 7
    assert counted == [1]


def test_money_needs_prices(world: World) -> None:
    with pytest.raises(BadInput, match=r"--max-cost needs launch\.prices"):
        world.session(Limits(cost=1.0), known=False)
    session = world.session(Limits(cost=100.0), known=False, prices=Prices(gpu_hour={"H100": 1.0}))
    with pytest.raises(BadInput, match=r"no price for NVIDIA A100, which was used \(known: H100\); add its type, or any"):
        world.run(session, 1)


@pytest.mark.parametrize("ahead", [-86400.0, 86400.0])
def test_a_clock_that_is_set_does_not_move_the_limit(world: World, ahead: float) -> None:
    """Running stages are expected to take neither longer nor less long."""
    session = world.session(Limits(gpu_hours=2.5), known=True)
    assert session.limit is not None
    assert session.take() is not None
    assert session.take() is not None
    third = next(iter(world.queue.ready()))
    world.ahead = ahead
    world.now += 0.1 * HOUR
    assert not session.limit.allows(third, world.queue.missing), "of each of them 0.9 hours are left"
    world.now += 0.4 * HOUR
    assert session.limit.allows(third, world.queue.missing)


def test_what_was_spent_is_read_again_after_the_clock_was_set_back(world: World) -> None:
    session = world.session(Limits(gpu_hours=3.0), known=True)
    limit = session.limit
    assert limit is not None
    work = next(iter(world.queue.ready()))
    assert limit.allows(work, world.queue.missing)
    world.ahead = -86400.0
    world.run(world.session(Limits(), known=True), 1)  # by another worker
    world.now += HOUR
    assert not limit.allows(work, world.queue.missing)


def test_a_stage_that_is_computed_again_within_a_launch_counts_twice(world: World) -> None:
    session = world.session(Limits(gpu_hours=10.0), known=True)
    assert world.run(session, 1) == 8
    assert spent(session) == pytest.approx(8.0)
    stage = make_plan(world.grid).stages[0]
    world.ledger.void(stage.stage, stage.id, "its model is gone")
    again = replace(world.session(Limits(gpu_hours=10.0), known=True), limit=session.limit)
    assert world.run(again, 1) == 1
    assert spent(session) == pytest.approx(9.0)


def test_a_limit_stops_only_work_that_uses_what_it_limits(world: World) -> None:
    session = world.session(Limits(gpu_hours=0.0), known=True)
    work = session.take(lambda work: {"CPU": 2.0, "GPU": 0.0})
    assert work is not None
    assert session.take(lambda work: SLOT) is None
    session = world.session(Limits(gpu_hours=1.0), known=False)
    assert (world.run(session, 2), spent(session)) == (2, 2.0), "more than the limit"
    assert session.take(lambda work: SLOT) is None
    world.queue.closed = None
    assert session.take(lambda work: {"CPU": 2.0}) is not None
    session = world.session(Limits(cost=0.0), known=True, prices=Prices(gpu_hour={"any": 2.0}))
    assert session.take(lambda work: {"CPU": 2.0}) is not None, "cores have no price"


def test_stages_that_follow_in_another_slot_are_not_counted_at_this_one(world: World) -> None:
    session = world.session(Limits(gpu_hours=1.5), known=True)
    works = list(world.queue.waiting.values())
    both = replace(works[0], jobs=works[0].jobs + works[1].jobs)
    assert session.limit is not None
    assert not session.limit.allows(both, world.queue.missing)
    session.limit.jobs = lambda work: work.jobs[:1]
    assert session.limit.allows(both, world.queue.missing)
    session.limit.begin(both, world.queue.missing)
    assert not session.limit.allows(works[2], world.queue.missing)
