"""Attribute recognition in the report: per target the metrics of each cell, per class the rates, confusion matrices,
reliability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.evaluation.attribute_figures import MOST_CLASSES
from grid.report.charts import Frame
from grid.report.markdown import joined, pipe_table, plain
from grid.report.text import value_and_interval
from grid.results.combinations import Combination, grouped, mean_entry
from grid.results.rows import Row, Table

RATES = {"recall": "Recall", "precision": "Precision", "f1": "F1"}
NOTE = (
    "Percent, with 95 % intervals of each cell by itself. Images without a label of a target do not count for it. Support is "
    "the number of evaluated images of a class, trained the number of its training images. Of replicates: means over them of "
    "numbers and of the ends of intervals."
)
PLOT = Frame(300, 300, 46, 8)


@dataclass(frozen=True)
class Board:
    """One target under one protocol.

    Attributes:
        rows: cells that have it, each with its own classes or with numbers
        lines: the same by combination of levels
        columns: (key, title, whether in percent) of the metrics
        classes: names of all cells; empty if all predict numbers
    """

    protocol: str
    target: str
    rows: tuple[Row, ...]
    lines: tuple[Combination, ...]
    columns: tuple[tuple[str, str, bool], ...]
    classes: tuple[str, ...]

    def of(self, row: Row) -> Mapping[str, Any]:
        """The target's metrics in a cell."""
        found: Mapping[str, Any] = row.metrics[self.protocol]["targets"][self.target]
        return found

    def metric(self, line: Combination, key: str, percent: bool) -> tuple[str, str]:
        """(value, interval) as printed."""
        return printed(mean_entry(self.of(row).get(key) for row in line.replicates), percent)

    @property
    def classified(self) -> tuple[Row, ...]:
        """The cells that predict classes."""
        return tuple(row for row in self.rows if self.of(row).get("per_class"))

    @property
    def classified_lines(self) -> tuple[Combination, ...]:
        """The combinations of levels whose cells predict classes."""
        return tuple(line for line in self.lines if self.of(line.row).get("per_class"))

    def support(self, name: str) -> str:
        """The number of evaluated images of a class; the least and the most, if it differs between cells."""
        counts = [one["support"] for row in self.rows if (one := self.per_class(row, name))]
        return f"{min(counts)}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"

    def per_class(self, row: Row, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.of(row).get("per_class", {}).get(name, {})
        return found

    def rate(self, line: Combination, name: str, key: str) -> tuple[str, str]:
        """(value, interval) of a class's recall, precision or F1, as printed."""
        return printed(mean_entry(self.per_class(row, name).get(key) for row in line.replicates), True)

    def shares(self, row: Row) -> list[list[tuple[int, float]]]:
        """The confusion matrix: (count, share of the true class) per true class, per predicted class."""
        counts = self.of(row)["confusion"]
        return [[(count, count / max(sum(those), 1)) for count in those] for those in counts]

    def curve(self, row: Row) -> list[str]:
        """The reliability curve as SVG points: mean confidence and accuracy of each bin with images."""
        bins = self.of(row)["reliability"]
        return PLOT.points(np.array([[one["confidence"], one["accuracy"]["value"]] for one in bins])).split(" ")

    def whiskers(self, row: Row) -> list[tuple[str, str]]:
        """The lower and the upper end of the interval of each point of ``curve``, as SVG points."""
        bins = self.of(row)["reliability"]
        ends = ([[one["confidence"], one["accuracy"][end]] for one in bins] for end in ("low", "high"))
        low, high = (PLOT.points(np.array(points)).split(" ") for points in ends)
        return list(zip(low, high, strict=True))

    @property
    def drawn(self) -> bool:
        """Whether the confusion matrix is small enough for a figure."""
        return 0 < len(self.classes) <= MOST_CLASSES


def printed(entry: Mapping[str, Any] | None, percent: bool) -> tuple[str, str]:
    """See ``value_and_interval``."""
    return value_and_interval(entry, 1, 100) if percent else value_and_interval(entry, 2)


def boards(table: Table) -> list[Board]:
    """One per protocol and target that some cell has."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        for protocol, metrics in row.metrics.items():
            if metrics.get("task") == "attributes":
                for target in metrics["targets"]:
                    found.setdefault((protocol, target), []).append(row)
    return [_board(protocol, target, rows) for (protocol, target), rows in found.items()]


def _board(protocol: str, target: str, rows: Sequence[Row]) -> Board:
    metrics = [row.metrics[protocol]["targets"][target] for row in rows]
    columns = dict.fromkeys(column for one in metrics for column in _columns(one))
    classes = dict.fromkeys(name for one in metrics for name in one.get("per_class", {}))
    lines = tuple(Combination.of(group, protocol) for group in grouped(rows))
    return Board(protocol, target, tuple(rows), lines, tuple(columns), tuple(classes))


def _columns(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    names = {
        "accuracy": "Accuracy",
        "balanced_accuracy": "Balanced accuracy",
        "macro_f1": "Macro F1",
        "off_by_one": "Off by one",
    }
    for key, title in {**names, "ece": "ECE"}.items():
        if key in metrics:
            yield key, title, True
    if "mae" in metrics:
        yield "mae", f"MAE [{metrics['unit']}]" if metrics.get("unit") else "MAE", False
    if "cumulative_score" in metrics:
        yield "cumulative_score", f"CS@{metrics['cumulative_score']['tolerance']:g}", True


def attributes_markdown(found: Sequence[Board], name: str) -> str:
    """Pipe tables of every target, and of its classes; ends with a line break."""
    lines = [f"# Attributes of {plain(name)}", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.target)} on {plain(board.protocol)}", ""]
        titles = (plain(title + (" [%]" if percent else "")) for _, title, percent in board.columns)
        lines += pipe_table(["Cell", *titles, "Images", "Unknown"], _targets(board))
        for line in board.classified_lines:
            lines += ["", f"### {plain(board.target)}, {plain(line.title)}", ""]
            rates = (f"{title} [%]" for title in RATES.values())
            lines += pipe_table(["Class", *rates, "Support", "Trained"], _classes(board, line))
    return "\n".join(lines) + "\n"


def _targets(board: Board) -> Iterator[list[str]]:
    for line in board.lines:
        values = (joined(board.metric(line, key, percent)) for key, _, percent in board.columns)
        yield [plain(line.title), *values, str(board.of(line.row)["images"]), str(board.of(line.row)["unknown"])]


def _classes(board: Board, line: Combination) -> Iterator[list[str]]:
    for name in board.classes:
        if counts := board.per_class(line.row, name):
            values = (joined(board.rate(line, name, key)) for key in RATES)
            yield [plain(name), *values, str(counts["support"]), str(counts["trained"])]
