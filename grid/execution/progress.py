"""Progress display of a launch: a live table on a terminal, otherwise one line per event."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from grid.execution.scheduler import Work, WorkQueue
from grid.ledger.ledger import Ledger
from grid.terminal import clock_words, counted, styled


class Display:
    """Shows cells, stages, epochs, the latest metric and the remaining time while the ``with`` block is active."""

    def __init__(self, queue: WorkQueue, console: Console, cells: int, cells_done: int) -> None:
        self.queue, self.console = queue, console
        self.cells, self.cells_done = cells, cells_done
        self.total = len(queue.waiting)
        self.began = time.monotonic()
        self.rows: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.why: str | None = None  # the last reason that was printed why work is unfinished
        self.waits: dict[str, str] = {}  # work id -> what it waits for, as printed
        self.live = Live(get_renderable=self._draw, console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def watch(self, work: Work, stage: str, row: Mapping[str, Any]) -> None:
        """Shows a live progress report of a stage."""
        before = self.rows.get(work.id)
        if not self.console.is_terminal and (before is None or before[0] != stage):
            self.say(work.title if _named(work) else f"{work.title}: {stage}")
        if not self.console.is_terminal and self.waits.get(work.id) != row.get("waiting", self.waits.get(work.id)):
            self.waits[work.id] = row["waiting"]
            self.say(f"{work.title}: {row['waiting']}")
        known = {key: value for key, value in before[1].items() if key != "waiting"} if before and before[0] == stage else {}
        self.rows[work.id] = (stage, {**known, **row})

    def say(self, line: str) -> None:
        """Prints a line for the user above the live table."""
        self._print(styled("[dim]{}[/] {}", clock_words(self._spent()), line))

    def _print(self, line: Text) -> None:
        self.console.print(line, soft_wrap=not self.console.is_terminal)  # in a file, one line stays one line

    def ended(self, work: Work) -> None:
        """Records that work has ended, whatever its outcome, or waits again."""
        if work.id in self.queue.waiting:
            return
        self.rows.pop(work.id, None)
        error = self.queue.failed.get(work.id)
        if work.id in self.queue.done or error:
            end = self._failed(work, error) if error else styled("[green]done[/]")
            left = f"{self._ended}/{self.total}"
            self._print(styled("[dim]{} {}[/] {}: ", clock_words(self._spent()), left, work.title).append(end))

    def _failed(self, work: Work, error: str) -> Text:
        """``failed``, or ``unfinished`` if the ledger has no failure, so that the next launch tries again."""
        with contextlib.suppress(OSError):
            if any(Ledger(job.store).failure(job.kind, job.id) for job in work.jobs):
                return styled("[red]failed[/]: {}", error)
        said, self.why = error == self.why, error
        return styled("[yellow]unfinished[/]: {}", "for the same reason" if said else error)

    @property
    def _ended(self) -> int:
        return len(self.queue.done) + len(self.queue.failed)

    def _spent(self) -> float:
        return time.monotonic() - self.began

    def _left(self) -> str:
        done = self._ended + sum(_share(row) for _, row in self.rows.values())
        if done < 0.2:
            return "time left unknown yet"
        return f"about {clock_words(self._spent() * (self.total - done) / done)} left"

    def _draw(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for work in self.queue.running.values():
            stage, row = self.rows.get(work.id, ("starting", {}))
            stage = "" if work.id in self.rows and _named(work) else stage
            table.add_row(Text(work.title), Text(stage), ProgressBar(total=1.0, completed=_share(row), width=24), _words(row))
        head = Text.assemble(
            (f"{self._ended} of {counted(self.total, 'unit')} of work", "bold"),
            f" · {counted(self.cells, 'cell')}, {self.cells_done} done before · {clock_words(self._spent())} spent",
            f", {self._left()}",
        )
        return Group(head, table)


def _named(work: Work) -> bool:
    """Whether the title of the work says its stage, as that of a shared stage or of a part of one does."""
    return [job.id for job in work.jobs] == [work.id]


def _share(row: Mapping[str, Any]) -> float:
    """The completed fraction of the current stage, 0 to 1."""
    if row.get("total"):
        return float(row["done"]) / float(row["total"])
    if row.get("epochs"):
        within = float(row.get("step", 0)) / max(1.0, float(row.get("steps", 1)))
        return min(1.0, (float(row.get("epoch", 0)) + within) / float(row["epochs"]))
    return 0.0


def _words(row: Mapping[str, Any]) -> str:
    words = [str(row["waiting"])] if "waiting" in row else []
    if row.get("total"):
        words.append(f"{row['done']}/{row['total']} {row.get('unit', '')}")
    if row.get("epochs"):
        words.append(f"epoch {row.get('epoch', 0) + 1}/{row['epochs']}")
    for key, name in (("train_loss", "loss"), ("validation_loss", "val loss"), ("validation_accuracy", "val acc")):
        if isinstance(row.get(key), float):
            words.append(f"{name} {row[key]:.3f}")
    return ", ".join(words)
