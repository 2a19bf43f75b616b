"""How far a study is, where its stages run, and when it may be done: from plan, ledger and leases only."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from grid.ledger.study import CellView, Study
from grid.ledger.workers import worker_alive
from grid.results.running import Running, launch_of, running
from grid.results.spending import Spending, SpendingReader
from grid.results.status import COLORS, WORDS
from grid.spec.levels import cells_title
from grid.spec.stage_name import StageName
from grid.terminal import clock_words, counted

UNKNOWN = "unknown node"


@dataclass(frozen=True)
class Progress:
    """The state of a study at one moment.

    Attributes:
        states: state -> number of cells
        stages, ended: the number of different stages, and of those that are done or failed
        at_work: the running stages, each with the title of its cells
        seconds_left: estimated from the stages done so far; None if nothing runs, or a kind of stage was never finished
        alive: whether a launch or a worker is running
        spent: hours and money so far
    """

    states: Mapping[str, int]
    stages: int
    ended: int
    at_work: Sequence[tuple[Running, str]]
    seconds_left: float | None
    alive: bool
    spent: Spending

    @property
    def places(self) -> dict[tuple[str, str], list[tuple[Running, str]]]:
        """The running stages by node and device."""
        found: dict[tuple[str, str], list[tuple[Running, str]]] = defaultdict(list)
        for one, title in self.at_work:
            found[one.host or UNKNOWN, one.device or ""].append((one, title))
        return dict(sorted(found.items()))


def progress(study: Study, now: float | None = None, spending: SpendingReader | None = None) -> Progress:
    """The state of a study; hidden cells do not count.

    Args:
        spending: of this study, if it was read before
    """
    now = time.time() if now is None else now
    launch = launch_of(study)
    cells = study.shown
    at_work: dict[str, tuple[Running, list[Mapping[str, str]]]] = {}
    states: Counter[str] = Counter()
    parts: dict[str, int | None] = {}
    for cell in cells:
        own = running(study, cell, now, parts)
        for one in own:
            at_work.setdefault(one.id, (one, []))[1].append(cell.levels)
        states["running" if own and cell.state == "run" else cell.state] += 1
    stages = {cell.stages[name]: (name, cell) for cell in cells for name in cell.names}
    ended = {id for id, (name, cell) in stages.items() if name in cell.markers or name in cell.failures}
    left = _left(stages, ended | _never(study, ended, cells), [one for one, _ in at_work.values()], now)
    ordered = {state: states[state] for state in COLORS if state in states}
    alive = launch is not None or bool(at_work) or worker_alive(study.path)
    titled = [(one, cells_title(levels)) for one, levels in at_work.values()]
    spent = (spending or SpendingReader(study)).spent(now)
    return Progress(ordered, len(stages), len(ended), titled, left, alive, spent)


def _never(study: Study, ended: set[str], cells: Sequence[CellView]) -> set[str]:
    """The stages that cannot run because something that they need has failed."""
    stages = {stage["id"]: set(stage["needs"]) for stage in study.record["stages"] if stage["id"] not in ended}
    failed = {cell.stages[name] for cell in cells for name in cell.failures}
    while more := {id for id, needs in stages.items() if id not in failed and needs & failed}:
        failed |= more
    return failed - ended


def _left(
    stages: Mapping[str, tuple[StageName, CellView]], ended: set[str], at_work: Sequence[Running], now: float
) -> float | None:
    """Seconds until all stages have ended, if as many run at once as now and each takes the mean time of its kind.

    Args:
        ended: those that will never run included
    """
    if not at_work:
        return None
    times: dict[str, list[float]] = defaultdict(list)
    for id in ended:
        name, cell = stages[id]
        if marker := cell.markers.get(name):
            times[name.kind].append(marker.finished - marker.started)
    begun = {one.id: one for one in at_work}
    total = 0.0
    for id, (name, _) in stages.items():
        if id in ended:
            continue
        one = begun.get(id)
        if one is not None and one.seconds_left is not None:
            total += one.seconds_left
        elif not times[name.kind]:
            return None
        else:
            spent = now - one.since if one is not None and one.since is not None else 0.0
            total += max(0.0, sum(times[name.kind]) / len(times[name.kind]) - spent)
    return total / len(at_work)


def headline(found: Progress) -> str:
    """``3 done, 1 running, 2 to run; 14 of 30 stages; about 5:09 left``."""
    states = ", ".join(f"{count} {WORDS.get(state, state)}" for state, count in found.states.items())
    words = [states, f"{found.ended} of {counted(found.stages, 'stage')}"]
    if found.alive and found.ended < found.stages:
        words.append("time left unknown yet" if found.seconds_left is None else f"about {clock_words(found.seconds_left)} left")
    return "; ".join(words)


def lines(found: Progress) -> list[Text]:
    """One line per node and device, and one for each stage that runs there."""
    shown = []
    for (host, device), several in found.places.items():
        shown.append(Text(f"{host}{f', {device}' if device else ''}", style="bold"))
        for one, title in several:
            shown.append(Text(f"  {title}: {one.text}"))
    return shown
