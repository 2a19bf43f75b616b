"""The cell with the highest accuracy under each protocol that compares pairs of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid.analysis import words
from grid.analysis.analysis import ProtocolAnalysis
from grid.results.columns import BEST_THRESHOLD, CROSS_VALIDATED, Column
from grid.results.combinations import distinct, grouped
from grid.results.rows import Row, Table
from grid.spec.levels import other_levels


@dataclass(frozen=True)
class Number:
    """One measurement of the best cell; ``spread`` is its interval, or how many replicates it is the mean of."""

    title: str
    text: str
    spread: str


@dataclass(frozen=True)
class Headline:
    """The best cell of a protocol.

    Attributes:
        title: the accuracy used for the comparison.
        levels: of the cell, without its replicate.
        among: number of cells compared; replicates count as one.
        key, value: the metric of the comparison, and the mean over the cell's replicates.
    """

    protocol: str
    title: str
    levels: Mapping[str, str]
    numbers: tuple[Number, ...]
    among: int
    key: str
    value: float


def headlines(table: Table) -> list[Headline]:
    """One per protocol. The best cell has the highest cross-validated accuracy, averaged over its replicates; equal ones count
    once.

    If a protocol has no cross-validated accuracy, the accuracy at the best threshold is used.
    """
    return [found for protocol in table.compared if (found := _headline(table, protocol))]


def reason(headline: Headline, analyses: Sequence[ProtocolAnalysis]) -> str:
    """What made the cell the best one: see ``words.contributions``; empty if no effect is known."""
    for one in analyses:
        for metric in one.metrics:
            if (one.protocol, metric.column.key) == (headline.protocol, headline.key):
                return words.contributions(metric, headline.levels, headline.value)
    return ""


def _headline(table: Table, protocol: str) -> Headline | None:
    columns = {column.key: column for column in table.under(protocol)}
    deciding = columns.get(CROSS_VALIDATED) or columns.get(BEST_THRESHOLD)
    if deciding is None:
        return None
    means = [(mean, rows) for rows in grouped(table.rows) if (mean := _mean(rows, deciding)) is not None]
    if not means:
        return None
    mean, best = max(means, key=lambda one: one[0])
    shown = [deciding, *(columns[key] for key in (BEST_THRESHOLD, "eer") if key in columns and columns[key] != deciding)]
    numbers = tuple(_number(best, column) for column in shown if _mean(best, column) is not None)
    return Headline(protocol, deciding.title, other_levels(best[0].cell.levels), numbers, len(means), deciding.key, mean)


def _mean(rows: list[Row], column: Column) -> float | None:
    values = [value for row in distinct(rows, column.protocol) if (value := row.number(column)) is not None]
    return sum(values) / len(values) if values else None


def _number(rows: list[Row], column: Column) -> Number:
    mean = _mean(rows, column)
    assert mean is not None
    return Number(column.title, column.text(mean) + column.unit, _spread(rows, column))


def _spread(rows: list[Row], column: Column) -> str:
    there = [row for row in rows if row.number(column) is not None]
    different = len(distinct(there, column.protocol))
    if len(rows) == 1:
        value = there[0].value(column)
        return column.spread(value) if value else ""
    done = f"{len(there)} of {len(rows)}" if len(there) < len(rows) else f"{len(rows)}"
    if different == len(there):
        return f"mean of {done} replicates"
    return f"{done} replicates, all equal" if different == 1 else f"mean of {different} replicates ({done}, some equal)"
