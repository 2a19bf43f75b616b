"""Explanation scores by decision: a table per number and cell, a line per map, a column per outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grid.report.markdown import joined, pipe_table, plain
from grid.report.scores import number_title
from grid.report.table_csv import cells_csv
from grid.report.text import value_and_interval
from grid.results.by_cell import grouped_by_cell
from grid.results.rows import Row
from grid.results.score_outcomes import OutcomeScore
from modules.metrics.decision_outcomes import OUTCOMES

NOTE = (
    "The mean score of the pairs that the network accepts or rejects, rightly or wrongly, at the best threshold of its own "
    "evaluation of the same protocol. In brackets the 95 % interval over pairs, then how many pairs were scored. Wrong "
    "decisions are few in a good network, and their intervals wide."
)


@dataclass(frozen=True)
class Board:
    """One number in one cell.

    Attributes:
        number: such as "Hiding game AUC"
        threshold: in words
        lower_is_better: of the number
    """

    row: Row
    of: str
    number: str
    threshold: str
    lower_is_better: bool
    lines: tuple[OutcomeScore, ...]

    @property
    def title(self) -> str:
        return f"{self.number} on {self.of}{' (less is better)' if self.lower_is_better else ''}"


def boards(found: Sequence[OutcomeScore]) -> list[Board]:
    """In the order of the cells and scores; methods by name."""
    return [_board(some) for some in grouped_by_cell(found, lambda one: (one.of, one.score, one.number, one.lower_is_better))]


def _board(some: Sequence[OutcomeScore]) -> Board:
    one = some[0]
    title = number_title(one.score, [one.number])
    return Board(one.row, one.of, title, _threshold(some), one.lower_is_better, tuple(some))


def _threshold(some: Sequence[OutcomeScore]) -> str:
    decided = some[0].decided
    counts = Counter(decided.outcomes)
    counted = ", ".join(f"{counts[kind]} {kind}{'' if counts[kind] == 1 else 's'}" for kind in OUTCOMES)
    return f"Accepted from a cosine of {decided.threshold:.3f} (best threshold of {decided.protocol}): {counted}."


def fields(one: OutcomeScore) -> list[tuple[str, str]]:
    """(mean, interval and number of pairs) of each of ``OUTCOMES``."""
    found = []
    for kind in OUTCOMES:
        entry = one.means.get(kind, {})
        value, spread = value_and_interval(entry, 3)
        found.append((value, f"{spread} {entry.get('pairs', '')}".strip()))
    return found


def outcomes_markdown(found: Sequence[Board], name: str) -> str:
    """A pipe table per board; ends with a line break."""
    lines = [f"# Scores of explanations of {plain(name)}, by decision", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.title)}: {plain(board.row.title)}", "", plain(board.threshold), ""]
        rows = ([plain(one.title), *map(joined, fields(one))] for one in board.lines)
        lines += pipe_table(["Method", *(kind.capitalize() for kind in OUTCOMES)], rows)
    return "\n".join(lines) + "\n"


def outcomes_csv(found: Sequence[OutcomeScore], axes: Sequence[str]) -> str:
    """A line per number, map and outcome with scored pairs; in the format of ``table.csv``."""
    columns = ("of", "method", "map", "score", "number", "protocol", "threshold", "outcome", "pairs", "value", "low", "high")
    return cells_csv(axes, columns, ((one.row, line) for one in found for line in _csv_lines(one)))


def _csv_lines(one: OutcomeScore) -> Iterator[list[Any]]:
    for kind, entry in one.means.items():
        numbers = (None if entry[key] is None else float(entry[key]) for key in ("value", "low", "high"))
        start = [one.of, one.method, one.map, one.score, one.number, one.decided.protocol, one.decided.threshold]
        yield [*start, kind, entry["pairs"], *numbers]


def outcomes_json(found: Sequence[OutcomeScore]) -> list[dict[str, Any]]:
    """Every number by outcome."""
    return [
        {
            "cell": one.row.cell.id,
            "levels": dict(one.row.cell.levels),
            **{key: getattr(one, key) for key in ("of", "method", "map", "score", "number", "lower_is_better")},
            "protocol": one.decided.protocol,
            "threshold": one.decided.threshold,
            "outcomes": dict(one.means),
        }
        for one in found
    ]
