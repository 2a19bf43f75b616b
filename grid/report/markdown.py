"""The table as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grid.report.text import visible
from grid.results.columns import intervals_note
from grid.results.rows import Table


def markdown(table: Table, name: str) -> str:
    """A pipe table and its notes; ends with a line break."""
    several = len(table.protocols) > 1
    titles = [f"{column.protocol}: {column.heading}" if several else column.heading for column in table.columns]
    head = [*(plain(title) for title in [*(factor.title for factor in table.factors), *titles]), "State"]
    lines = [f"# {plain(name)}", ""]
    if not table.whole:
        lines += [f"Partial: {table.states}.", ""]
    rows = []
    for row in table.lines:
        levels = [plain(factor.shown(row)) for factor in table.factors]
        values = [column.shown(row.value(column)) for column in table.columns]
        rows.append([*levels, *values, row.state if not row.reason else f"{row.state}: {plain(row.reason)}"])
    lines += pipe_table(head, rows, "l" * len(table.factors) + "r" * len(table.columns) + "l")
    ticks = [f"✓ in {plain(factor.title)} is {plain(factor.tick)}." for factor in table.factors if factor.tick]
    notes = [*ticks, f"{plain(intervals_note(table.replicated))}."]
    notes += [f"Method of the intervals: {plain('; '.join(table.methods))}."] if table.methods else []
    notes += [f"Not shown: {plain(reason)}." for reason in table.left_out]
    notes += [f"{plain(line)[0].upper()}{plain(line)[1:]}." for line in (*table.accepted, *table.doubts)]
    notes += [f"Cells that left the grid file: {table.hidden}."] if table.hidden else []
    return "\n".join([*lines, "", *notes]) + "\n"


def pipe_table(head: Sequence[str], rows: Iterable[Sequence[str]], aligned: str = "") -> list[str]:
    """The lines of a table from fields as ``plain`` makes them.

    Args:
        aligned: "l" or "r" for each column; without it the first is aligned to the left and the others to the right
    """
    marks = [":-" if letter == "l" else "-:" for letter in aligned or "l" + "r" * (len(head) - 1)]
    return ["| " + " | ".join(fields) + " |" for fields in (head, marks, *rows)]


def joined(texts: Sequence[str]) -> str:
    """One escaped field from a number and what follows it, such as its interval."""
    return plain(" ".join(texts).strip())


def plain(text: str) -> str:
    """User text escaped so that it cannot end a field or start markup."""
    text = visible(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for mark in "|*_`[]":
        text = text.replace(mark, "\\" + mark)
    return text
