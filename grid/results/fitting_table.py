"""A table for a terminal of any width: if its columns do not fit, each row becomes several lines, and no number is cut."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

SHORT = 10  # letters of a word that is never broken


@dataclass(frozen=True)
class FittingTable:
    """Shows ``table`` unchanged if no number and no short word is broken; otherwise ``heading: value``, line by line.

    Its caption may be wider than the table.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        bare = copy.copy(self.table)
        bare.caption = None  # it may be wider than the table
        yield from [bare] if self._fits(bare, console, options) else self._lines()
        if self.table.caption:
            yield _text(self.table.caption)

    def _fits(self, bare: Table, console: Console, options: ConsoleOptions) -> bool:
        shown = "\n".join("".join(part.text for part in line) for line in console.render_lines(bare, options))
        for column in self.table.columns:
            for cell in (column.header, *column.cells):
                parts = _text(cell).plain.splitlines() if column.no_wrap else _text(cell).plain.split()
                if any(part.strip() not in shown for part in parts if column.no_wrap or len(part) <= SHORT):
                    return False
        return True

    def _lines(self) -> Iterator[Text]:
        if self.table.title:
            yield Text.assemble(_text(self.table.title), style="bold")
        columns = [(_one_line(_text(column.header).plain), list(column.cells)) for column in self.table.columns]
        for row in range(self.table.row_count):
            cells = [(heading, _text(cells[row])) for heading, cells in columns]
            for heading, cell in cells:
                if cell.plain.strip():
                    words = [part.strip() for part in cell.plain.splitlines()]
                    yield Text.assemble(f"{heading}: ", cell if len(words) == 1 else ", ".join(words))
            yield Text("")


def _one_line(heading: str) -> str:
    """A heading that is broken over lines, after blanks or hyphens."""
    return " ".join(heading.replace("-\n", "-").split())


def _text(value: object) -> Text:
    return value if isinstance(value, Text) else Text(str(value))
