"""A table with one row per combination of levels: numbers of replicates as their mean, with both of its intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from grid.ledger.study import CellView
from grid.results.columns import Column
from grid.results.result import Result
from grid.results.rows import Factor, Row, Table
from grid.spec.levels import REPLICATE, cell_title, other_levels
from grid.spec.measure import UNBOUNDED, Range, clipped, number_of
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import EVALUATE, StageName

SCORES = "scores.parquet"
WORST = ("failed", "unfinished", "blocked", "skipped", "done")  # of several replicates, the first of these states


@dataclass(frozen=True)
class Combination:
    """A line of a table: a combination of levels, with all of its replicates.

    Attributes:
        row: its first cell
        cells: the number of its replicates
        replicates: their rows, without those that repeat the results of an earlier one
    """

    row: Row
    cells: int
    replicates: tuple[Row, ...]

    @classmethod
    def of(cls, group: Sequence[Row], protocol: str) -> Combination:
        """Of the rows of one combination."""
        return cls(group[0], len(group), tuple(distinct(group, protocol)))

    @property
    def levels(self) -> Mapping[str, str]:
        """Without the replicate, if there are several."""
        return self.row.cell.levels if self.cells == 1 else other_levels(self.row.cell.levels)

    @property
    def count(self) -> str:
        """``3 replicates``; empty for one."""
        if self.cells == 1:
            return ""
        return f"{self.cells} equal replicates" if len(self.replicates) == 1 else f"{self.cells} replicates"

    @property
    def title(self) -> str:
        """``detection=mtcnn, loss=arcface (3 replicates)``."""
        return f"{cell_title(self.levels)} ({self.count})" if self.count else self.row.title


def combined(table: Table) -> Table:
    """The rows of each combination of levels as one, also those of ensembles; the same table if nothing is replicated.

    The level of the replicate is then their number: ``3``, ``2 of 3`` where others are not finished, ``1 (3 equal)`` where
    outputs repeat each other, as those of a stage that replicates share do; such copies count once.
    """
    groups = grouped(table.rows)
    if len(groups) == len(table.rows):
        return table
    rows = tuple(_row(group, table.every_column) for group in groups)
    single = {row.cell.levels.get(REPLICATE) for row in table.rows}  # unlike "0 + 1", an ensemble over replicates
    ensembles: list[Row] = []
    for group in grouped(table.ensembles):
        own = [row for row in group if row.cell.levels[REPLICATE] in single]
        ensembles += [_row(own, table.every_column)] if own else []
        ensembles += [row for row in group if row not in own]
    counts = tuple(sorted({row.cell.levels[REPLICATE] for row in rows}))
    factors = tuple(Factor(REPLICATE, "Replicates", counts, None) if one.axis == REPLICATE else one for one in table.factors)
    return replace(table, factors=factors, rows=rows, ensembles=tuple(ensembles))


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each combination of the other levels, in the order of the plan."""
    found: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(other_levels(row.cell.levels).items()), []).append(row)
    return list(found.values())


def distinct(group: Sequence[Row], protocol: str) -> list[Row]:
    """The rows without those whose results under a protocol repeat those of an earlier one."""
    return list({content(row, protocol): row for row in reversed(group)}.values())[::-1]


def content(row: Row, protocol: str) -> Any:
    """Equal for replicates that are one computation: equal scores, or equal files from equal inputs.

    Equal numbers alone may be chance, such as a rank 1 of 100 %.
    """
    marker = row.markers.get(StageName(EVALUATE, protocol))
    if marker is not None and SCORES in marker.outputs:
        return marker.outputs[SCORES]["sha256"]
    if not row.cell.names:  # an ensemble has no stage; its thresholds are among its numbers
        return repr(row.metrics.get(protocol))
    headed = [name for name in row.cell.names if name in row.markers and known_kind(name.kind).heading(name) == protocol]
    return tuple((row.markers[name].content, *sorted(row.markers[name].inputs.values())) for name in headed)


def mean_entry(entries: Iterable[Mapping[str, Any] | None]) -> dict[str, float] | None:
    """The means of ``value``, ``low`` and ``high`` over those of the replicates' entries that have a value; None without one.

    Ends of intervals are left out if one of them has none; why their means are wide enough says ``mean_result``.
    """
    known = [entry for entry in entries if entry is not None and number_of(entry.get("value")) is not None]
    if not known:
        return None
    ends = [key for key in ("low", "high") if all(number_of(entry.get(key)) is not None for entry in known)]
    return {key: fmean(entry[key] for entry in known) for key in ("value", *ends)}


def mean_result(found: Sequence[Result], possible: Range = UNBOUNDED) -> Result:
    """The mean of one number over replicates.

    ``low`` and ``high`` are over test items: the means of the replicates' ends. All replicates see the same items, and the
    standard deviation of a mean is at most the mean of the standard deviations, so this interval is wide enough.
    ``seeds_low`` and ``seeds_high`` are over replicates, by Student's t.

    Args:
        found: with values; one or more.
        possible: the smallest and the largest value of such a number.
    """
    from modules.metrics.paired_tests import student

    values = [one.value for one in found if one.value is not None]
    count, mean = len(values), sum(values) / len(values)
    lows, highs = ([getattr(one, name) for one in found] for name in ("low", "high"))
    ends = [None if None in some else sum(some) / count for some in (lows, highs)]
    seeds: tuple[float | None, float | None] = (None, None)
    if count > 1:
        variance = sum((value - mean) ** 2 for value in values) / (count - 1) / count
        found_by_t = student(mean, variance, count - 1, count)
        seeds = clipped(found_by_t.low, found_by_t.high, possible, values)
    return replace(
        found[0],
        cell=None,
        replicate=None,
        stage_id=None,
        value=mean,
        low=ends[0],
        high=ends[1],
        se=None,
        sd=None,
        seeds_low=seeds[0],
        seeds_high=seeds[1],
        replicates=count,
    )


def _row(group: Sequence[Row], columns: Sequence[Column]) -> Row:
    protocols = dict.fromkeys(protocol for row in group for protocol in row.metrics)
    different = {protocol: distinct(group, protocol) for protocol in protocols}
    results = []
    for column in columns:
        there = [row for row in different.get(column.protocol, ()) if column.protocol in row.metrics]
        values = [value for row in there if (value := row.value(column)) is not None]
        known = [value for value in values if value.value is not None]
        results += [mean_result(known, column.ends)] if known else values[:1]  # without a number, the reason
    done = sum(row.state == "done" or (row.state == "ensemble" and not row.reason) for row in group)
    state = next((one for one in WORST if any(row.state == one for row in group)), group[0].state)
    count = f"{len(group)}" if done == len(group) else f"{done} of {len(group)}"
    copies = max((len(some) for some in different.values()), default=done)
    if 0 < copies < done:
        count = f"{copies} ({count} equal)" if copies == 1 else f"{copies} ({count}, some equal)"
    reasons = [f"replicate {row.cell.levels[REPLICATE]}: {row.reason}" for row in group if row.state != "done" and row.reason]
    levels = {**group[0].cell.levels, REPLICATE: count}
    cell = CellView(None, levels, group[0].cell.state, "; ".join(reasons) or None)
    metrics: dict[str, Any] = {protocol: {} for protocol in protocols}
    return Row(cell, state, cell.reason, {}, metrics, results=tuple(results))
