"""The table as CSV: levels spelled out, fractions from 0 to 1 at full precision, one column per number."""

from __future__ import annotations

from grid.report.text import csv_text, records_csv, spreadsheet
from grid.results.columns import Column
from grid.results.results import Results
from grid.results.rows import Table

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
    lines = [["cell", *map(spreadsheet, axes), "state", "reason", *titles]]
    for row in table.lines:
        numbers = []
        for column, field in wanted:
            value = row.value(column)
            number = getattr(value, field) if value else None
            numbers.append("" if number is None else repr(number if field == "replicates" else float(number)))
        levels = [row.cell.levels.get(axis, "") for axis in axes]
        words = [spreadsheet(word) for word in (row.cell.id or "", *levels, row.state, row.reason or "")]
        lines.append([*words, *numbers])
    return csv_text(lines)


def _name(column: Column, field: str, table: Table) -> str:
    start = f"{column.protocol}:" if len({one.protocol for one in table.every_column}) > 1 else ""
    return spreadsheet(start + column.key.replace("val:", "val@") + ("" if field == "value" else f"_{field}"))


def results_csv(results: Results) -> str:
    """The long table: a line per number, with the columns of ``Results``."""
    return records_csv(results.columns, results.records())
