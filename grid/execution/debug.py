"""Runs one cell in this process, without Ray, so that breakpoints work; stages and numbers are those of a launch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from grid.execution.executor import Session
from grid.execution.job import jobs_of
from grid.execution.local import LocalExecutor
from grid.execution.scheduler import Work, WorkQueue
from grid.ledger.ledger import Ledger
from grid.ledger.scratch import scratch_folder
from grid.ledger.store import open_store
from grid.ledger.study import finished
from grid.plan.plan import Plan, PlannedCell, store_of, study_of
from grid.plan.preflight import CellFilter, checked_plan, prepare
from grid.spec.cell_filter import which
from grid.spec.grid_file import BadInput, Grid
from grid.spec.stage_kind import StageName, stage_kind
from grid.stages.context import FAST_EXPLAINED, FAST_IMAGES, FAST_PAIRS, FAST_SUBJECTS
from grid.terminal import styled

LINE_SECONDS = 5.0  # minimum time between two progress lines
QUICK = (
    f"each training takes one batch, from up to {FAST_IMAGES} images of each of {FAST_SUBJECTS} subjects (from "
    f"{FAST_IMAGES * FAST_SUBJECTS} subjects, if each has one image); each protocol takes about {FAST_PAIRS} pairs, each "
    f"explainer of pairs {FAST_EXPLAINED}; the numbers mean nothing and are not kept"
)


def debug(grid: Grid, where: CellFilter | None, fast: bool, again: bool, console: Console) -> dict[str, Any]:
    """Runs every stage of the one cell selected by ``where`` in a separate ledger; returns its metrics by protocol, and under
    ``left_out`` the protocols without metrics, with the reason.

    A launched study is not modified: the ledger is ``<study>/debug`` (emptied first with ``again``), or a temporary one with
    ``fast``. Exceptions are not caught.

    Raises:
        BadInput: ``where`` selects no cell or several.
    """
    with scratch_folder() if fast else nullcontext(study_of(grid) / "debug") as store:
        if again and not fast and store.exists():
            shutil.rmtree(store)
        return _debug(grid, where, fast, store, console)


def _debug(grid: Grid, where: CellFilter | None, fast: bool, store: Path, console: Console) -> dict[str, Any]:
    prepare(study_of(grid), store_of(grid))
    plan = checked_plan(grid, where, console, retry=True)
    chosen = [cell for cell in plan.cells if cell.id is not None]
    if len(chosen) != 1:
        raise BadInput(_which(plan, chosen))
    cell = chosen[0]
    store.mkdir(parents=True, exist_ok=True)
    scans = store / "scans"
    known = open_store(store_of(grid)).cache_folder("scans")
    if not scans.exists() and known.exists():
        scans.symlink_to(known)
    workers = grid.spec.launch.workers
    jobs = jobs_of(plan.stages, store, workers=0 if fast or workers == "auto" else workers)  # 0: breakpoints work everywhere
    own = [jobs[id] for id in cell.stages.values()]
    ids = {job.id for job in own}
    waiting = {job.id: Work(job.id, job.label, (job,), frozenset(job.needs) & ids) for job in own}
    ledger = Ledger(store)
    executor = LocalExecutor(grid.spec.launch, fast=fast, raises=True)
    console.print(styled("[bold]{}[/] {}", cell.title, executor.where()))
    if fast:
        console.print(styled("  [yellow]quick check[/]: {}", QUICK))
    lines = Lines(console, ledger, {id: label for label, id in cell.stages.items()})
    queue = WorkQueue(waiting, set(waiting))
    executor.run(Session(queue, ledger, lines.watch, lines.ended, say=lambda line: console.print(Text(f"  {line}"))))
    if not fast:
        console.print(Text(f"  files: {store}"))
    for heading, why in lines.left_out.items():
        console.print(styled("  [yellow]left out[/] {}: {}", heading, why))
    return lines.metrics | ({"left_out": lines.left_out} if lines.left_out else {})


class Lines:
    """Prints plain lines, with progress throttled: a live display would draw over the debugger's prompt."""

    def __init__(self, console: Console, ledger: Ledger, names: Mapping[str, StageName]) -> None:
        self.console, self.ledger, self.names = console, ledger, names
        self.metrics: dict[str, Any] = {}  # by protocol
        self.left_out: dict[str, str] = {}  # protocol -> why a quick check has no metrics of it
        self.last = 0.0

    def watch(self, work: Work, label: str, row: Mapping[str, Any]) -> None:
        """Callback of ``Session``."""
        if not row:
            self.console.print(styled("  [dim]{} ...[/]", label))
        elif time.monotonic() - self.last >= LINE_SECONDS:
            self.console.print(styled("  [dim]{}: {}[/]", label, _words(row)))
        else:
            return
        self.last = time.monotonic()

    def ended(self, work: Work) -> None:
        """Callback of ``Session``; errors were raised before this is called."""
        (job,) = work.jobs
        marker = self.ledger.marker(job.kind, job.id)
        if marker is None:  # an input turned out to be damaged and is recomputed first
            return
        facts = dict(marker.facts)
        kind, name = stage_kind(job.kind), self.names[job.id]
        if why := facts.pop("left_out", None):
            self.left_out[kind.heading(name)] = why
        self.console.print(Text(f"  {job.label}: {_words(facts)}"))
        if (result := kind.result(finished(self.ledger, name, marker))) is not None:
            self.metrics[kind.heading(name)] = result


def _which(plan: Plan, chosen: Sequence[PlannedCell]) -> str:
    """The error message when the selection is not exactly one cell, with an example of a valid one."""
    if not chosen:
        return f"debug runs one cell, and --where selects none that is run: all are skipped: {plan.cells[0].reason}"
    return f"debug runs one cell, and {len(chosen)} are selected; choose one, such as {which(chosen[0].levels)}"


def _words(facts: Mapping[str, Any]) -> str:
    """Facts on one line, without the network's digest."""
    shown = {key: value for key, value in facts.items() if value not in (None, "") and key != "network"}
    return ", ".join(f"{key} {_word(value)}" for key, value in shown.items())


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_words(value)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_word, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
