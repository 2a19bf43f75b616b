"""The table as Markdown."""

from __future__ import annotations

from grid.report.text import visible
from grid.results.columns import Column
from grid.results.rows import Row, Table


def markdown(table: Table, name: str) -> str:
    """A pipe table and its notes; ends with a line break."""
    head = [plain(factor.title) for factor in table.factors] + [_title(column, table) for column in table.columns] + ["State"]
    lines = [f"# {plain(name)}", ""]
    if not table.whole:
        lines += [f"Partial: {table.states}.", ""]
    lines += [line(head), line([":-" for _ in table.factors] + ["-:" for _ in table.columns] + [":-"])]
    for row in table.lines:
        levels = [_level(row, factor.axis, factor.tick) for factor in table.factors]
        values = [_value(row, column) for column in table.columns]
        lines.append(line([*levels, *values, row.state if not row.reason else f"{row.state}: {plain(row.reason)}"]))
    ticks = [f"✓ in {plain(factor.title)} is {plain(factor.tick)}." for factor in table.factors if factor.tick]
    notes = [*ticks, "Brackets are 95 % intervals of each cell by itself (not paired)."]
    notes += [f"Method of the intervals: {plain('; '.join(table.methods))}."] if table.methods else []
    notes += [f"Not shown: {plain(reason)}." for reason in table.left_out]
    notes += [f"{plain(line)[0].upper()}{plain(line)[1:]}." for line in table.accepted]
    notes += [f"Cells that left the grid file: {table.hidden}."] if table.hidden else []
    return "\n".join([*lines, "", *notes]) + "\n"


def _title(column: Column, table: Table) -> str:
    unit = " [%]" if column.percent else ""
    return plain((f"{column.protocol}: " if len(table.protocols) > 1 else "") + column.title + unit)


def _level(row: Row, axis: str, tick: str | None) -> str:
    level = row.cell.levels.get(axis, "")
    return plain(level) if tick is None else "✓" if level == tick else ""


def _value(row: Row, column: Column) -> str:
    value = row.value(column)
    if value is None or value.value is None:
        return "–"
    return f"{column.value(value)} {column.spread(value)}".rstrip()


def line(fields: list[str]) -> str:
    return "| " + " | ".join(fields) + " |"


def plain(text: str) -> str:
    """User text escaped so that it cannot end a field or start markup."""
    text = visible(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for mark in "|*_`[]":
        text = text.replace(mark, "\\" + mark)
    return text
