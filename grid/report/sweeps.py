"""Sweeps as tables: a line per cell and value of the swept setting."""

from __future__ import annotations

from collections.abc import Iterator

from grid.report.markdown import pipe_table, plain
from grid.results.columns import Column
from grid.results.result import Result
from grid.results.rows import Row, Table
from grid.results.sweeps import Sweep


def sweep_lines(table: Table, sweep: Sweep) -> Iterator[tuple[Row, str, list[Result | None]]]:
    """(cell, value of the setting as text, numbers by column), for each cell with a result."""
    columns = columns_of(table, sweep)
    for row in table.lines:
        for text, protocol in sweep.lines:
            values = [sweep.value(row, protocol, column) for column in columns]
            if any(value is not None for value in values):
                yield row, text, values


def columns_of(table: Table, sweep: Sweep) -> list[Column]:
    """The columns of a sweep in which some cell has a number."""
    protocols = [protocol for _, protocol in sweep.lines]
    return [
        column
        for column in sweep.columns
        if any(
            (value := sweep.value(row, protocol, column)) is not None and value.value is not None
            for row in table.lines
            for protocol in protocols
        )
    ]


def methods(table: Table, sweep: Sweep) -> list[str]:
    """How the intervals of a sweep's numbers were computed."""
    found = (
        one for _, _, values in sweep_lines(table, sweep) for one in values if one and one.low is not None and one.interval
    )
    return list(dict.fromkeys(str(one.interval) for one in found))


def sweeps_markdown(table: Table, name: str) -> str:
    """A pipe table per sweep; ends with a line break."""
    lines = [f"# {plain(name)}: images changed before face detection"]
    factors = [factor for factor in table.factors if len(table.lines) > 1]
    for sweep in table.sweeps:
        columns = columns_of(table, sweep)
        head = [*(plain(one.title) for one in factors), plain(sweep.setting), *(plain(one.heading) for one in columns)]
        rows = []
        for row, text, values in sweep_lines(table, sweep):
            levels = [plain(row.cell.levels.get(one.axis, "")) for one in factors]
            rows.append([*levels, text, *(column.shown(value) for column, value in zip(columns, values, strict=True))])
        aligned = "l" * len(factors) + "r" * (1 + len(columns))
        lines += ["", f"## {plain(sweep.title)}", "", *pipe_table(head, rows, aligned)]
        lines += ["", f"Brackets are 95 % intervals: {plain('; '.join(methods(table, sweep)) or 'none')}."]
    return "\n".join(lines) + "\n"
