"""One cell in this process: no Ray, so breakpoints work; the same stages and the same numbers as when launched."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from grid.execution.job import RunOptions, accelerator, device_words, in_store, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.ledger.store import open_store
from grid.plan.plan import Plan, PlannedCell, store_of, study_of
from grid.plan.preflight import CellFilter, checked_plan, prepare
from grid.spec.cell_filter import which
from grid.spec.grid_file import BadInput, Grid
from grid.terminal import styled

LINE_SECONDS = 5.0  # between two lines of progress


def debug(grid: Grid, where: CellFilter | None, fast: bool, again: bool, console: Console) -> dict[str, Any]:
    """Runs every stage of the one cell that ``where`` selects, in a ledger of its own; returns its metrics by protocol.

    A launched study is not touched: the ledger is ``<study>/debug`` (with ``again``, emptied first), a temporary one with
    ``fast``. Errors come out as they are.

    Raises:
        BadInput: ``where`` selects none or several cells.
    """
    if fast:
        with tempfile.TemporaryDirectory(prefix="facegrid-fast-") as folder:
            return _debug(grid, where, True, Path(folder), console)
    store = study_of(grid) / "debug"
    if again and store.exists():
        import shutil

        shutil.rmtree(store)
    return _debug(grid, where, False, store, console)


def _debug(grid: Grid, where: CellFilter | None, fast: bool, store: Path, console: Console) -> dict[str, Any]:
    prepare(study_of(grid), store_of(grid))
    plan = checked_plan(grid, where, console)
    chosen = [cell for cell in plan.cells if cell.id is not None]
    if len(chosen) != 1:
        raise BadInput(_which(plan, chosen))
    cell = chosen[0]
    stages = {stage.id: stage for stage in plan.stages}
    store.mkdir(parents=True, exist_ok=True)
    scans = store / "scans"
    known = open_store(store_of(grid)).cache_folder("scans")
    if not scans.exists() and known.exists():
        scans.symlink_to(known)
    jobs = jobs_of(stages, store, workers=0 if fast else grid.spec.launch.workers)
    ledger = Ledger(store)
    more = ", one batch of everything" if fast else ""
    console.print(styled("[bold]{}[/] in this process on {}{}", cell.title, device_words(), more))
    metrics: dict[str, Any] = {}
    for label, id in cell.stages.items():
        job = in_store(jobs[id], store)
        marker = ledger.marker(job.kind, id)
        if marker is None:
            console.print(styled("  [dim]{} ...[/]", label))
            lines = Lines(console, label)
            run(job, RunOptions(accelerator=accelerator(), report=lines.report, fast=fast, raises=True))
            marker = ledger.marker(job.kind, id)
            assert marker is not None
        console.print(Text(f"  {label}: {_words(marker.facts)}"))
        if job.kind == "evaluate" and "metrics.json" in marker.outputs:  # a few images make no search and no groups
            metrics[label.partition(":")[2]] = ledger.json(marker, "metrics.json")
    if not fast:
        console.print(Text(f"  files: {store}"))
    return metrics


class Lines:
    """Progress in plain lines, some seconds apart: a live display would draw over the prompt of a debugger."""

    def __init__(self, console: Console, label: str) -> None:
        self.console, self.label = console, label
        self.last = time.monotonic()

    def report(self, row: Mapping[str, Any]) -> None:
        """As ``RunOptions.report``."""
        if time.monotonic() - self.last >= LINE_SECONDS:
            self.last = time.monotonic()
            self.console.print(styled("  [dim]{}: {}[/]", self.label, _words(row)))


def _which(plan: Plan, chosen: Sequence[PlannedCell]) -> str:
    """Why these are not one cell, and how to say which one."""
    if not chosen:
        return f"debug runs one cell, and --where selects none that is run: all are skipped: {plan.cells[0].reason}"
    return f"debug runs one cell, and {len(chosen)} are selected; choose one, such as {which(chosen[0].levels)}"


def _words(facts: Mapping[str, Any]) -> str:
    """Facts in a line; the digest of the network is for programs."""
    shown = {key: value for key, value in facts.items() if value not in (None, "") and key != "network"}
    return ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items())
