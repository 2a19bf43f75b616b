"""A pull worker: takes ready work of a study from the ledger until none is left.

Workers need nothing but the study's folder and its store: no Ray and no server. Any number of them run at once, on any
machines, also beside a launch. Each stage is computed under a lease (``grid.ledger.lock``): a worker passes over stages that
others compute, waits when nothing else is left, and takes over what a killed worker began, from its last checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

from rich.console import Console

from grid.execution.executor import Session
from grid.execution.job import Job, lease_of
from grid.execution.launch import NO_LIMITS, conclude, exit_code, ran_words, spending_limit, summary, void_changed, whole_queue
from grid.execution.local import LocalExecutor
from grid.execution.perform import finished
from grid.execution.price_check import check_prices
from grid.execution.progress import Display
from grid.execution.scheduler import Work, WorkQueue
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Held, Lock, live_holder
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.ledger.study_identity import own_identity
from grid.plan.plan import DONE, STALE, store_of
from grid.plan.preflight import CellFilter, checked_plan
from grid.plan.recorded_grid import recorded_grid
from grid.results.replication import replicates
from grid.results.rows import table
from grid.results.spending_stop import Stop, note_stop
from grid.spec.spending_limits import Limits
from grid.spec.stage_kind import stage_kind
from grid.terminal import counted, styled
from grid.tracking.uri import tracking_of

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds between two looks at the ledger, then the last again and again


def work(study: Study, where: CellFilter | None, patience: float | None, console: Console, limits: Limits = NO_LIMITS) -> int:
    """Runs ready stages of the study in this process; returns the exit code.

    It is 0 if all its cells are done, 1 if some failed or if its patience ended before they were done, and 3 if a limit of
    spending stopped it.

    The report and MLflow are brought up to date at the end, unless another process holds the study.

    Args:
        patience: seconds to wait for stages that others compute, before the worker leaves; None: as long as they run

    Raises:
        BadInput: an error found before anything is run.
        KeyboardInterrupt: interrupted; another worker goes on from the last checkpoint.
    """
    tracking = tracking_of(study)
    grid = recorded_grid(study, [cell for cell in study.cells if not cell.hidden])
    plan = checked_plan(grid, where, console)
    alone = grid.spec.launch.model_copy(update={"executor": "local", "address": None})  # whatever a launch uses
    check_prices(limits, alone, {stage.stage for stage in plan.open})
    ledger = Ledger(store_of(grid))
    void_changed(plan, ledger)
    queue = whole_queue(plan)
    executor = LocalExecutor(grid.spec.launch, wait=0.0)
    planned = queue.to_run
    words = f"{counted(len(plan.cells), 'cell')}; {counted(len(planned), 'stage')} to run"
    console.print(styled("[bold]{}[/]: {} by this worker and others, {}", study.name, words, executor.where()))
    done = sum(cell.state in (DONE, STALE) for cell in plan.cells)
    with Display(queue, console, len(plan.cells), done) as display:
        limit = spending_limit(limits, study, grid.spec.launch, queue)
        session = Session(queue, ledger, display.watch, display.ended, say=display.say, limit=limit)
        ran = pull(session, executor, patience)
    stop = limit.stop(queue.stages_to_run) if limit is not None and queue.closed is not None else None
    done = len(planned - queue.missing)
    code = _conclude(study, tracking, queue, ran_words(len(planned), len(planned) - done, max(0, done - ran)), console, stop)
    if line := more_replicates(Study(study.path)):
        console.print(line, markup=False, soft_wrap=True)
    return code


def more_replicates(study: Study) -> str | None:
    """The line about replicates that the results ask for and the study does not have yet; workers do not plan."""
    found = replicates(study, table(study))
    if found is None:
        return None
    shown = [cell.levels for cell in study.cells if not cell.hidden]
    planned = [sum(levels.items() <= cell.items() for cell in shown) for levels in found.cells]
    missing = sum(max(0, wanted - known) for wanted, known in zip(found.found.counts, planned, strict=True))
    if not missing:
        return None
    return f"the results ask for {counted(missing, 'replicate')} more: `facegrid launch GRID --no-run` adds them for workers"


def pull(
    session: Session, executor: LocalExecutor, patience: float | None = None, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Runs the session's work while there is some that no other process runs; returns the number of stages computed here."""
    executor.check(session)
    queue, ran = session.queue, 0
    pauses, waited = _pauses(), 0.0
    while True:
        work = next(session.affordable(_free(session), executor.reserved), None)
        if work is None:
            if session.finished:
                return ran
            pause = next(pauses)
            if patience is not None and waited + pause > patience:
                session.say("what is left waits for stages that other processes compute; this worker leaves")
                return ran
            if not waited:
                session.say("waiting for stages that other processes compute")
            sleep(pause)
            waited += pause
            for waiting in list(queue.waiting.values()):
                settle(session, waiting)
            continue
        pauses, waited = _pauses(), 0.0
        session.start(work, executor.reserved)
        todo = {job.id for job in work.jobs} & queue.missing
        outcomes = executor.perform(session, work)
        ran += sum(outcomes[id].ended == "done" and not outcomes[id].elsewhere for id in todo & outcomes.keys())


def _pauses() -> Iterator[float]:
    return chain(PAUSES, repeat(PAUSES[-1]))


def _free(session: Session) -> Iterator[Work]:
    """The ready work whose next stage no process computes."""
    for work in list(session.queue.ready()):
        job = settle(session, work)
        if job is not None and live_holder(session.ledger.store, lease_of(job)) is None:
            yield work


def settle(session: Session, work: Work) -> Job | None:
    """Takes over from the ledger what other processes have finished, or failed at, of some waiting work.

    Returns:
        the next stage of the work that can be computed; None if there is none, so that the work has ended
    """
    queue = session.queue
    if work.id not in queue.waiting:
        return None  # it depends on work that has failed
    left: list[Job] = []
    failed: dict[str, str] = {}  # id of a stage -> its error
    for job in work.jobs:
        if job.id not in queue.missing:
            continue
        if finished(session.ledger, job):
            queue.missing.discard(job.id)
            queue.learn(queue, [job])
        elif failure := session.ledger.failure(job.kind, job.id):
            failed[job.id] = failure.error
            if not stage_kind(job.kind).leaf:
                break
        elif failed.keys().isdisjoint(job.needs):
            left.append(job)
    if left:
        return left[0]
    del queue.waiting[work.id]
    if failed:
        queue.fail(work, next(iter(failed.values())))
    else:
        queue.done.append(work.id)
    session.ended(work)
    return None


def _conclude(study: Study, tracking: str, queue: WorkQueue, ran: str, console: Console, stop: Stop | None) -> int:
    """Writes the report and copies to MLflow, unless a launch holds the study: it does so itself at its end.

    Beside a launch, the study's record does not say that a limit has stopped this worker: the launch goes on.

    Returns:
        the exit code
    """
    path, store = study.path, LocalStore(study.path)
    purpose = f"report of {study.name}"
    while True:
        try:
            with Lock(store, purpose) as lock:
                own_identity(path)
                note_stop(path, stop)
                study = Study(path)
                page = conclude(study, tracking, lock, console)
            code = summary(study, page, console, ran, queue)
            break
        except Held as held:
            if (live_holder(store) or {}).get("purpose", purpose) != purpose:
                console.print(
                    styled("[yellow]report and MLflow[/] are left to another process: {}", held.holder), soft_wrap=True
                )
                code = exit_code(Study(path), queue, console)
                break
            time.sleep(PAUSES[0])  # another worker writes the report, perhaps without the last results
    return code or int(bool(queue.waiting))  # what other processes compute was not awaited
