"""The table as CSV: levels spelled out, fractions from 0 to 1 at full precision, one column per number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from grid.report.text import csv_field, csv_text, records_csv, spreadsheet
from grid.results.columns import Column
from grid.results.results import Results
from grid.results.rows import Row, Table

FIELDS = ("value", "low", "high", "se")
SEEDS = ("value", "low", "high", "seeds_low", "seeds_high", "replicates")  # of means over replicates


def table_csv(table: Table) -> str:
    """See ``text.csv_text``. An absent number is an empty field.

    Of means over replicates, ``low`` and ``high`` are over test items, ``seeds_low`` and ``seeds_high`` over replicates.
    """
    names = SEEDS if table.replicated else FIELDS
    wanted = [(column, field) for column in table.every_column for field in names if field != "se" or column.key == "ten_fold"]
    axes = [factor.axis for factor in table.factors]
    titles = (_name(column, field, table) for column, field in wanted)
    lines = []
    for row in table.lines:
        values = [row.value(column) for column, _ in wanted]
        numbers = [value and getattr(value, field) for value, (_, field) in zip(values, wanted, strict=True)]
        lines.append((row, [row.state, row.reason, *numbers]))
    return cells_csv(axes, ("state", "reason", *titles), lines)


def cells_csv(axes: Sequence[str], columns: Iterable[str], lines: Iterable[tuple[Row, Sequence[Any]]]) -> str:
    """A line per cell and its values, which starts with the cell's id and levels; None is an empty field."""
    head = ("cell", *axes, *columns)
    starts = ((row.cell.id, *(row.cell.levels.get(axis) for axis in axes), *values) for row, values in lines)
    return csv_text([map(spreadsheet, head), *(map(csv_field, line) for line in starts)])


def _name(column: Column, field: str, table: Table) -> str:
    start = f"{column.protocol}:" if len({one.protocol for one in table.every_column}) > 1 else ""
    return start + column.key.replace("val:", "val@") + ("" if field == "value" else f"_{field}")


def results_csv(results: Results) -> str:
    """The long table: a line per number, with the columns of ``Results``."""
    return records_csv(results.records(), results.columns)
