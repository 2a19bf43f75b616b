"""Every public reading of a number, side by side, from the same scores of each cell, with the reason for each difference.

"LFW accuracy", TAR at FAR of templates and 1:N search have several definitions in use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.markdown import joined, pipe_table, plain
from grid.report.reading_reasons import ACCURACY, DIR, RANK, TAR, VAL
from grid.results.result import Result
from grid.results.rows import Row, Table
from grid.spec.measure import in_percent

MODES = "modes:"  # prefix of their metrics in the long table
NOTE = (
    "One list of scores, one column per definition in use. s.e. is the standard error and s.d. the standard deviation over "
    "folds; then the difference from the first definition in points. Why they differ stands below each table."
)


@dataclass(frozen=True)
class Reading:
    """A number by one definition; ``spread`` in words."""

    value: float
    spread: str = ""


@dataclass(frozen=True)
class Board:
    """A number under one protocol.

    Attributes:
        number: its name, such as "Accuracy" or "TAR @ 0.01 %"
        names: of the definitions; the first is the reference for differences
        reasons: definition -> why it differs
        rows: cells that have them
        readings: those of each of the rows, by definition
    """

    protocol: str
    number: str
    names: tuple[str, ...]
    reasons: Mapping[str, str]
    rows: tuple[Row, ...]
    readings: tuple[Mapping[str, Reading], ...]

    def text(self, row: Row, name: str) -> tuple[str, str]:
        """(value in percent, its spread and difference); empty if the cell lacks this definition."""
        found = next(own for other, own in zip(self.rows, self.readings, strict=True) if other is row)
        if name not in found:
            return "–", ""
        value, exact = found[name].value, found.get(self.names[0])
        differs = "" if name == self.names[0] or exact is None else f"{100 * (value - exact.value):+.2f}"
        return f"{100 * value:.2f}", " ".join(part for part in (found[name].spread, differs) if part)


def modes_of(row: Row, protocol: str) -> dict[str, Result]:
    """The accuracies of a cell under a protocol, by the name of their definition."""
    return {
        one.metric.removeprefix(MODES): one
        for one in row.results
        if one.heading == protocol and one.metric.startswith(MODES) and one.value is not None
    }


def boards(table: Table) -> list[Board]:
    """One per protocol and number for which some cell has several definitions."""
    found = []
    for protocol in table.protocols:
        numbers: dict[str, tuple[Mapping[str, str], list[tuple[Row, dict[str, Reading]]]]] = {}
        for row in table.rows:
            for number, reasons, readings in _readings(row, protocol):
                numbers.setdefault(number, (reasons, []))[1].append((row, readings))
        for number, (reasons, cells) in numbers.items():
            there = {name for _, readings in cells for name in readings}
            names = tuple(name for name in reasons if name in there)
            rows = tuple(row for row, _ in cells)
            found.append(Board(protocol, number, names, reasons, rows, tuple(readings for _, readings in cells)))
    return found


def _readings(row: Row, protocol: str) -> Iterator[tuple[str, Mapping[str, str], dict[str, Reading]]]:
    """(number, reasons, readings) of a cell."""
    if modes := modes_of(row, protocol):
        yield "Accuracy", ACCURACY, {name: Reading(one.value or 0.0, _spread(one)) for name, one in modes.items()}
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
            title, spread = f"VAL @ {in_percent(val['target'])}", f"s.e. {100 * error:.2f} at FAR {100 * val['far']:.2g} %"
            found.setdefault(title, {})[name] = Reading(val["value"], spread)
    for number, readings in found.items():
        yield number, VAL, readings


def _spread(one: Result) -> str:
    spreads = {"s.e.": one.se, "s.d.": one.sd}
    return next((f"{word} {100 * value:.2f}" for word, value in spreads.items() if value is not None), "")


def modes_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board, and the reasons below it; ends with a line break."""
    lines = [f"# {plain(name)}, by definition", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.number)} on {plain(board.protocol)}", ""]
        rows = ([plain(row.title), *(joined(board.text(row, mode)) for mode in board.names)] for row in board.rows)
        lines += pipe_table(["Cell", *map(plain, board.names)], rows)
        lines += ["", *(f"* {plain(mode)}: {plain(board.reasons[mode])}." for mode in board.names)]
    return "\n".join(lines) + "\n"
