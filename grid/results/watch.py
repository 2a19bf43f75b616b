"""Follows a study while a launch or workers run: redrawn on a terminal, one line per change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from grid.ledger.study import Study
from grid.results.following import follow
from grid.results.progress import Progress, headline, lines, progress
from grid.results.running import Running
from grid.results.spending import SpendingReader, spending_words

SECONDS = 2.0  # between two looks


def watch(path: Path, console: Console, seconds: float = SECONDS, sleep: Callable[[float], None] = time.sleep) -> Progress:
    """Shows the study until nothing is running; returns the last state."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            return _follow(path, lambda name, found: live.update(_drawn(name, found), refresh=True), seconds, sleep)
    printer = _Printer(console)
    return _follow(path, printer.show, seconds, sleep)


def _follow(path: Path, show: Callable[[str, Progress], None], seconds: float, sleep: Callable[[float], None]) -> Progress:
    spending = SpendingReader(Study(path))
    last: list[Progress] = []

    def look() -> tuple[bool, bool]:
        study = spending.study = Study(path)
        found = progress(study, spending=spending)
        last[:] = [found]
        show(study.name, found)
        return found.alive, found.ended < found.stages

    follow(look, seconds, sleep)
    return last[0]


def _drawn(name: str, found: Progress) -> Group:
    return Group(Text.assemble((name, "bold"), f": {headline(found)}"), Text(spending_words(found.spent)), *lines(found))


class _Printer:
    """Prints what has changed: a stage that begins on a node, and the numbers when a stage has ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ended = -1
        self.begun: set[tuple[str, int]] = set()

    def show(self, name: str, found: Progress) -> None:
        for one, title in found.at_work:
            if (one.id, one.attempt) not in self.begun:
                self.begun.add((one.id, one.attempt))
                places = [place for place in (one.host or "an unknown node", one.device, one.devices) if place]
                self._line(f"{title}: {_first(one)} began on {', '.join(places)}")
        if found.ended != self.ended:
            self.ended = found.ended
            self._line(f"{name}: {headline(found)}; {spending_words(found.spent)}")

    def _line(self, text: str) -> None:
        self.console.print(Text(f"{time.strftime('%H:%M:%S')} {text}"), soft_wrap=True)


def _first(one: Running) -> str:
    return one.stage if one.attempt == 1 else f"{one.stage}, attempt {one.attempt},"
