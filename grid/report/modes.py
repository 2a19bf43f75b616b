"""Every public reading of a number, side by side, from the same scores of each cell, with the reason for each difference.

"LFW accuracy", TAR at FAR of templates and 1:N search have several definitions in use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from grid.report.markdown import joined, pipe_table, plain
from grid.report.reading_reasons import ACCURACY, DIR, RANK, TAR, VAL
from grid.results.combinations import Combination, distinct, grouped
from grid.results.result import Result
from grid.results.rows import Row, Table
from grid.spec.measure import in_percent

MODES = "modes:"  # prefix of their metrics in the long table
NOTE = (
    "One list of scores, one column per definition in use. s.e. is the standard error and s.d. the standard deviation over "
    "folds; then the difference from the first definition in points. Why they differ stands below each table. Of replicates: "
    "means."
)


@dataclass(frozen=True)
class Reading:
    """A number by one definition, or the mean over replicates.

    Attributes:
        spread: over folds
        kind: of spread: ``s.e.`` or ``s.d.``
        far: at which the number was read, if that is not the target
    """

    value: float
    spread: float | None = None
    kind: str = ""
    far: float | None = None

    @property
    def words(self) -> str:
        """Its spread, in percent."""
        spread = "" if self.spread is None else f"{self.kind} {100 * self.spread:.2f}"
        return spread if self.far is None else f"{spread} at FAR {100 * self.far:.2g} %"


@dataclass(frozen=True)
class Line(Combination):
    """``readings``: by definition; those that a cell lacks are missing."""

    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Board:
    """A number under one protocol.

    Attributes:
        number: its name, such as "Accuracy" or "TAR @ 0.01 %"
        names: of the definitions; the first is the reference for differences
        reasons: definition -> why it differs
        lines: combinations of levels that have them
    """

    protocol: str
    number: str
    names: tuple[str, ...]
    reasons: Mapping[str, str]
    lines: tuple[Line, ...]

    def text(self, line: Line, name: str) -> tuple[str, str]:
        """(value in percent, its spread and difference); a dash if the line lacks this definition."""
        if (found := line.readings.get(name)) is None:
            return "–", ""
        first = line.readings.get(self.names[0])
        differs = "" if name == self.names[0] or first is None else f"{100 * (found.value - first.value):+.2f}"
        return f"{100 * found.value:.2f}", " ".join(part for part in (found.words, differs) if part)


Replicates = list[tuple[Row, dict[str, Reading]]]  # with the readings of one number


def boards(table: Table) -> list[Board]:
    """One per protocol and number for which some cell has several definitions.

    Replicates are one line, and equal ones count once.
    """
    found = []
    for protocol in table.protocols:
        numbers: dict[str, tuple[Mapping[str, str], list[Line]]] = {}
        for group in grouped(table.rows):
            own: dict[str, Replicates] = {}
            for row in group:
                for number, reasons, readings in _readings(row, protocol):
                    numbers.setdefault(number, (reasons, []))
                    own.setdefault(number, []).append((row, readings))
            for number, replicates in own.items():
                numbers[number][1].append(_line(replicates, protocol))
        for number, (reasons, lines) in numbers.items():
            there = {name for line in lines for name in line.readings}
            names = tuple(name for name in reasons if name in there)
            found.append(Board(protocol, number, names, reasons, tuple(lines)))
    return found


def _line(replicates: Replicates, protocol: str) -> Line:
    rows, readings = [row for row, _ in replicates], {id(row): own for row, own in replicates}
    different = tuple(distinct(rows, protocol))
    counted = [readings[id(row)] for row in different]
    names = dict.fromkeys(name for own in counted for name in own)
    means = {name: _mean([own[name] for own in counted if name in own]) for name in names}
    return Line(rows[0], len(rows), different, means)


def _mean(found: Sequence[Reading]) -> Reading:
    """The means of numbers, of their spreads and of their rates."""
    spreads, rates = ([getattr(one, name) for one in found] for name in ("spread", "far"))
    spread, far = (None if None in some else fmean(some) for some in (spreads, rates))
    return Reading(fmean(one.value for one in found), spread, found[0].kind, far)


def _readings(row: Row, protocol: str) -> Iterator[tuple[str, Mapping[str, str], dict[str, Reading]]]:
    """(number, reasons, readings) of a cell."""
    modes = (one for one in row.results if one.heading == protocol and one.metric.startswith(MODES) and one.value is not None)
    if accuracies := {one.metric.removeprefix(MODES): _accuracy(one) for one in modes}:
        yield "Accuracy", ACCURACY, accuracies
    metrics = row.metrics.get(protocol, {})
    yield from _vals(metrics)
    if metrics.get("task") == "templates":
        for far, entry in metrics["tar"].items():
            if entry["value"] is not None:
                both = {"exact": entry["value"], "nearest": entry["nearest"]["value"]}
                yield f"TAR @ {in_percent(far)}", TAR, {name: Reading(value) for name, value in both.items()}
    for key, title, reasons in (("cmc", "Rank {}", RANK), ("dir", "DIR @ {}", DIR)):
        for at, entries in metrics.get("readings", {}).get(key, {}).items():
            known = {name: Reading(entry["value"]) for name, entry in entries.items() if entry["value"] is not None}
            if len(known) > 1:
                yield title.format(at if key == "cmc" else in_percent(at)), reasons, known


def _vals(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str], dict[str, Reading]]]:
    """VAL over folds by its definitions; none if the other folds have too few impostor pairs for a threshold at its FAR."""
    found: dict[str, dict[str, Reading]] = {}
    for name, mode in metrics.get("modes", {}).items():
        val, folds = mode.get("val", {}), len(mode["folds"])
        if val.get("value") is not None and metrics["impostor"] * (folds - 1) / folds >= 1 / val["target"]:
            error = val["spread"] / math.sqrt(folds - 1)  # the spread is a standard deviation with n
            found.setdefault(f"VAL @ {in_percent(val['target'])}", {})[name] = Reading(val["value"], error, "s.e.", val["far"])
    for number, readings in found.items():
        yield number, VAL, readings


def _accuracy(one: Result) -> Reading:
    spreads = {"s.e.": one.se, "s.d.": one.sd}
    kind, spread = next(((kind, value) for kind, value in spreads.items() if value is not None), ("", None))
    return Reading(one.value or 0.0, spread, kind)


def modes_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board, and the reasons below it; ends with a line break."""
    lines = [f"# {plain(name)}, by definition", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.number)} on {plain(board.protocol)}", ""]
        rows = ([plain(line.title), *(joined(board.text(line, mode)) for mode in board.names)] for line in board.lines)
        lines += pipe_table(["Cell", *map(plain, board.names)], rows)
        lines += ["", *(f"* {plain(mode)}: {plain(board.reasons[mode])}." for mode in board.names)]
    return "\n".join(lines) + "\n"
