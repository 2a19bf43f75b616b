"""Launch: brings a study up to date with its grid by running only what is missing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from grid.abort import Aborter, LaunchAborted
from grid.execution.background_sync import BackgroundSync
from grid.execution.detection_shards import shards_of
from grid.execution.executor import Executor, Session, executor_of
from grid.execution.job import accelerator, jobs_of, settings_of
from grid.execution.measured_order import MeasuredOrder
from grid.execution.notify import check_command, notifying
from grid.execution.price_check import check_prices
from grid.execution.progress import Display
from grid.execution.refusals import REFUSED, check_claims, refusals
from grid.execution.scheduler import WorkQueue, queue_of
from grid.execution.slots import held
from grid.execution.spending_estimate import expected_seconds, on_its_device
from grid.execution.spending_limit import STOPPED, SpendingLimit
from grid.execution.up_to_date import UpToDate
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import CellView, Study
from grid.ledger.study_identity import own_identity
from grid.plan.durations import Durations
from grid.plan.history import measured
from grid.plan.plan import DONE, FAILED, RUN, STALE, Plan, make_plan, store_of, study_of
from grid.plan.preflight import CellFilter, checked_plan, earlier_record, prepare
from grid.plan.study_record import write_plan
from grid.plan.table import changes, state_counts
from grid.plan.workload import workloads
from grid.report.build import build
from grid.results.spending_stop import note_stop
from grid.spec.grid_file import Grid
from grid.spec.launch_settings import Launch
from grid.spec.spending_limits import Limits
from grid.spec.stage_name import EXPLAIN
from grid.stages.chosen_images import check_chosen
from grid.terminal import command, counted, styled
from grid.tracking.uri import tracking_uri

NO_LIMITS = Limits()


def launch(
    grid: Grid,
    where: CellFilter | None,
    retry: Sequence[str],
    console: Console,
    new_store: bool = False,
    no_run: bool = False,
    limits: Limits = NO_LIMITS,
) -> int:
    """Runs a grid; returns the exit code: 0 if all cells are done, 1 if some failed, 3 if a limit of spending stopped it.

    Args:
        new_store: the study's earlier results are lost, so its store may be missing or empty.
        no_run: write the study's record only, for pull workers.
        limits: of what the study may spend, earlier launches included

    Raises:
        BadInput: an error found before anything is launched.
        KeyboardInterrupt: interrupted; launching the study again resumes it.
    """
    study = study_of(grid)
    limits.check(grid.spec.launch.prices)
    executor = executor_of(grid.spec.launch)
    check_command(None if no_run else grid.spec.launch.notify)
    check_claims(grid)
    prepare(study, store_of(grid), new_store)
    aborter = Aborter()
    with aborter.armed(), Lock(LocalStore(study), f"launch of {grid.spec.name}", lost=aborter.abort) as lock:
        plan = checked_plan(grid, where, console, bool(retry))
        check_chosen(plan)
        if (plan.open or retry) and not no_run:
            again = [stage for stage in plan.stages if stage.state in (FAILED, STALE)] if retry else []
            check_prices(limits, grid.spec.launch, {stage.stage for stage in (*plan.open, *again)})
            executor.check_reachable()
        if retry:
            plan = _retry(plan, retry)
        tracking = tracking_uri(grid.spec.launch.tracking, study)
        lock.check()
        identify(study, console)
        queue = _prepared(plan, grid, executor, console, no_run)
        if no_run:
            for reason in refusals(plan):  # workers do not need what is missing, and a launch without --no-run does
                console.print(styled(REFUSED, reason), soft_wrap=True)
            return 0
        ledger, planned, others = Ledger(store_of(grid)), frozenset[str](), frozenset[str]()
        with notifying(grid.spec.launch.notify, study, lambda line: console.print(styled("[yellow]{}[/]", line))) as codes:
            while True:  # one round, and with sequential replication one for each look
                planned |= queue.to_run
                limit = spending_limit(limits, Study(study), grid.spec.launch, queue)
                report = carry_out(queue, executor, ledger, study, tracking, console, _numbers(plan), lock, limit)
                others |= queue.elsewhere
                if queue.closed is not None or not (grown := grown_plan(plan, where)):
                    break
                plan = grown
                console.print(Text(look_words(plan)), soft_wrap=True)
                lock.check()
                queue = _prepared(plan, grid, executor, console)
            if queue.closed is not None and limit is not None:
                note_stop(study, limit.stop(queue.stages_to_run))
            ran = ran_words(len(planned), len(planned & queue.missing), len(planned & others))
            codes.append(summary(Study(study), report, console, ran, queue))
        return codes[0]


def _prepared(plan: Plan, grid: Grid, executor: Executor, console: Console, no_run: bool = False) -> WorkQueue:
    """Records the plan in the study, prints what will run, and returns its queue."""
    write_plan(plan, grid)
    void_changed(plan, Ledger(store_of(grid)))
    queue = whole_queue(plan)
    open_stages = queue.stages_to_run
    words = f"{counted(len(plan.cells), 'cell')} ({state_counts(plan.counts())}); {counted(open_stages, 'stage')} to run"
    if open_stages:
        words += f"; `{command('facegrid', 'work', short(plan.study))}` runs them" if no_run else f" {executor.where()}"
    if len(queue.waiting) != open_stages and not no_run:
        words += f", as {counted(len(queue.waiting), 'unit')} of work"  # which the progress counts
    console.print(styled("[bold]{}[/]: {}", grid.spec.name, words))
    for line in changes(plan):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    return queue


def _numbers(plan: Plan) -> tuple[int, int]:
    """The number of cells, and of those that are done."""
    counts = plan.counts()
    return len(plan.cells), counts.get(DONE, 0) + counts.get(STALE, 0)


def grown_plan(plan: Plan, where: CellFilter | None) -> Plan | None:
    """The plan with the replicates that the new results ask for; None if there are none."""
    if plan.grid.spec.sequential is None:
        return None
    found = make_plan(plan.grid, where, plan.resolver)
    return found if found.grid.size > plan.grid.size else None


def look_words(plan: Plan) -> str:
    """``replicates: 2 of 4 cells need no more; 2 go on to 5 replicates``."""
    states = list(plan.grid.granted.values())
    going = [one.count for one in states if not one.final]  # those that wait for the results of another cell have fewer
    closed = f"{len(states) - len(going)} of {counted(len(states), 'cell')} need no more"
    return f"replicates: {closed}; {going.count(max(going))} go on to {counted(max(going), 'replicate')}"


def whole_queue(plan: Plan, known: Mapping[str, str] | None = None) -> WorkQueue:
    """The queue of a plan and its shards; ``known`` maps the ids of finished stages outside the plan to their kinds."""
    launch = plan.grid.spec.launch
    if all(stage.state != RUN for stage in plan.stages):  # to expect durations takes seconds
        return queue_of(plan, jobs_of(plan.stages, store_of(plan.grid), known, **settings_of(launch)))
    works = workloads(plan)
    durations = Durations(measured(plan, works))
    gpu = _gpu(launch, durations)
    expected = expected_seconds(works, durations, launch, gpu)
    order = MeasuredOrder(works, [one for one in durations.measured if on_its_device(one, launch, gpu)])
    study = str((earlier_record(plan.study) or {}).get("study_id", ""))
    token = uuid.uuid4().hex[:8]
    jobs = jobs_of(plan.stages, store_of(plan.grid), known, **settings_of(launch), study=study, launch=token)
    jobs = {id: replace(job, workload=works[id].record()) for id, job in jobs.items()}
    queue = queue_of(plan, jobs, shards_of(plan, jobs), order.seconds())
    queue.expected, queue.learn = expected, partial(order.ended, Ledger(store_of(plan.grid)))
    queue.measured = order.alike.seconds
    return queue


def _gpu(launch: Launch, durations: Durations) -> str | None:
    """The GPUs that stages are expected to run on, for ``expected_seconds``."""
    if launch.resources.gpus == 0:
        return None
    there = accelerator() == "gpu" if launch.address is None else any(one.device != "cpu" for one in durations.measured)
    return "gpu" if there else None


def spending_limit(limits: Limits, study: Study, launch: Launch, queue: WorkQueue) -> SpendingLimit | None:
    """The limit on a queue's work; None without any."""
    if not limits.given:
        return None
    gpus = launch.resources.gpus
    slot = {CPU: launch.resources.cpus, GPU: float(accelerator() == "gpu" if isinstance(gpus, str) else gpus)}
    found = SpendingLimit(
        study, limits, launch.prices, queue.expected, lambda work: held(slot, max(job.usable_devices for job in work.jobs))
    )
    if queue.waiting:
        found.spent()  # refuses what was spent on a GPU without a price before anything runs
    return found


def carry_out(
    queue: WorkQueue,
    executor: Executor,
    ledger: Ledger,
    study: Path,
    tracking: str,
    console: Console,
    cells: tuple[int, int],
    lock: Lock,
    limit: SpendingLimit | None = None,
) -> Path:
    """Runs a queue, copies its progress to MLflow in the background, and writes the report; returns the path of its HTML page.

    Args:
        cells: the total number of cells, and how many of them were done before
        lock: the study's lock; checked before anything is started or written
        limit: of what the study may spend

    Raises:
        LockLost: another process has taken over the study.
        LaunchAborted: the executor returned before the queue was finished.
    """
    with BackgroundSync(study, tracking, live=bool(queue.waiting), check=lock.check) as background_sync:
        if queue.waiting:
            with Display(queue, console, *cells) as display:
                executor.run(Session(queue, ledger, display.watch, display.ended, lock.check, display.say, limit, study=study))
            if not queue.finished:
                left = counted(queue.stages_to_run, "stage")
                raise LaunchAborted(
                    f"launch.executor {executor.launch.executor!r} returned with {left} left to run; finished stages and "
                    "checkpoints are kept, and the same command goes on"
                )
        lock.check()
        done = UpToDate(Study(study), tracking)
        report = done.report(build)
        problems = done.mlflow(background_sync.finish)
    for line in background_sync.said:
        console.print(styled("[yellow]MLflow[/]: {}", line))
    _report_unsynced(problems, study, console)
    return report


def conclude(study: Study, tracking: str, lock: Lock, console: Console) -> Path:
    """Writes the report of a study and copies it to MLflow without running anything; returns the path of its HTML page."""
    page = build(study)
    _report_unsynced(BackgroundSync(study.path, tracking, live=False, check=lock.check).finish(), study.path, console)
    return page


def identify(study: Path, console: Console) -> None:
    """Gives a copied study MLflow runs of its own, see ``own_identity``."""
    if copied := own_identity(study):
        console.print(styled("[yellow]MLflow[/]: {}", copied))


def _report_unsynced(problems: Sequence[str], study: Path, console: Console) -> None:
    for problem in problems:
        console.print(
            styled("[yellow]MLflow[/]: {}; `{}` copies the record later", problem, command("facegrid", "sync", short(study)))
        )


def _retry(plan: Plan, retry: Sequence[str]) -> Plan:
    """The plan after forgiving failures and voiding stale results."""
    ledger = Ledger(store_of(plan.grid))
    for stage in plan.stages:
        if stage.state == FAILED and "failed" in retry:
            ledger.forgive(stage.stage, stage.id)
        if stage.state == STALE and "stale" in retry:
            reason = "its code has changed, and --retry stale asked for it"
            ledger.void(stage.stage, stage.id, reason, stage.generation)
    return plan.renewed()


def void_changed(plan: Plan, ledger: Ledger) -> None:
    """Voids the markers that the plan found damaged or computed from other inputs, before anything starts.

    Only markers that the plan saw are voided: another launch on the same store may have finished stages since then. Damaged
    stage identities are rewritten.
    """
    for stage in plan.stages:
        if stage.state != RUN:
            ledger.remember(stage.stage, stage.id, stage.node.identity)
    for stage in plan.open:
        if stage.generation is not None:
            ledger.void(stage.stage, stage.id, stage.reason or "planned to run again", stage.generation)


def ran_words(planned: int, left: int = 0, others: int = 0) -> str:
    """How many of the planned stages ran.

    Args:
        left: of these did not: they failed, need a failed one, or were not begun
        others: of these were run by another launch or by workers
    """
    if not planned:
        return "nothing had to run"
    ran = planned - left - others
    words = f"{f'{ran} of ' if ran < planned else ''}{counted(planned, 'stage')} ran"
    return f"{words}, and {others} in another launch or worker" if others else words


def summary(study: Study, report: Path, console: Console, ran: str, queue: WorkQueue) -> int:
    """Prints the table, what ran, and the output locations; returns the exit code."""
    from grid.report.console import table

    console.print(table(study, without=frozenset(["failed"])))  # printed in full below
    shown = [cell for cell in study.cells if not cell.hidden]
    failed = [cell for cell in shown if cell.state == "failed"]
    for cell in failed:
        for label, failure in cell.failures.items():
            if label not in cell.added:
                console.print(styled("[red]failed[/] {}: {}: {}", cell.title, label, failure.error))
    recorded = {cell.id for cell in failed} | {cell.stages[label] for cell in failed for label in cell.failures}
    for error in dict.fromkeys(error for id, error in queue.failed.items() if id not in recorded):
        console.print(styled("[yellow]unfinished[/] {}", error))  # nothing to record: the next launch retries it
    for line in refused_explanations(shown):
        console.print(styled("[yellow]refused[/] {}", line), soft_wrap=True)
    console.print(f"{ran} · report: {short(report)} · MLflow: {command('facegrid', 'ui', short(study.path))}")
    return exit_code(study, queue, console)


def exit_code(study: Study, queue: WorkQueue, console: Console) -> int:
    """1 if a cell has failed, 3 if a limit of spending has closed the queue, which is printed, and 0 otherwise."""
    if queue.closed is not None:
        console.print(styled("[yellow]stopped[/]: {}", queue.closed), soft_wrap=True)
    failed = bool(queue.failed) or any(cell.state == "failed" for cell in study.cells if not cell.hidden)
    return 1 if failed else STOPPED if queue.closed is not None else 0


def refused_explanations(cells: Sequence[CellView]) -> list[str]:
    """``explain:xssab in 2 of 4 cells: ...``: explanations that gave no maps, and why."""
    found: dict[tuple[str, str], int] = {}
    for cell in cells:
        for name in cell.names:
            marker = cell.markers.get(name)
            if name.kind == EXPLAIN and marker is not None and (refused := marker.facts.get("refused")):
                key = (str(name), str(refused["reason"]))
                found[key] = found.get(key, 0) + 1
    return [f"{name} in {count} of {counted(len(cells), 'cell')}: {reason}" for (name, reason), count in found.items()]


def short(path: Path) -> str:
    """A path in its printed form."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
