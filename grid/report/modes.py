"""All definitions of accuracy that the field calls "LFW accuracy", side by side, from the same scores of each cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grid.report.markdown import line, plain
from grid.results.rows import Row, Table

EXACT = "ten_fold"  # the reference for differences
NOTE = (
    "One list of scores, one column per definition. s.e. is the standard error and s.d. the standard deviation over folds; "
    f"then the difference from {EXACT} in points."
)


@dataclass(frozen=True)
class Board:
    """The accuracies under one protocol with pairs of images.

    Attributes:
        names: of the modes, as in the metrics
        rows: cells that have them
    """

    protocol: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]

    def text(self, row: Row, name: str) -> tuple[str, str]:
        """(value in percent, its spread and difference); empty if the cell lacks this mode."""
        mode: dict[str, Any] | None = row.metrics[self.protocol]["modes"].get(name)
        if mode is None:
            return "–", ""
        spread = ""
        if mode["spread"] is not None:
            number = f"{100 * mode['spread']:.2f}"
            spread = f"s.e. {number}" if mode["spread_is"] == "standard error" else f"s.d. {number}"
        differs = "" if name == EXACT else f"{100 * mode['difference']:+.2f}"
        return f"{100 * mode['value']:.2f}", " ".join(part for part in (spread, differs) if part)


def boards(table: Table) -> list[Board]:
    """One per protocol for which some cell has modes."""
    found = []
    for protocol in table.compared:
        rows = tuple(row for row in table.rows if row.metrics.get(protocol, {}).get("modes"))
        names = dict.fromkeys(name for row in rows for name in row.metrics[protocol]["modes"])
        if rows:
            found.append(Board(protocol, tuple(names), rows))
    return found


def modes_markdown(found: list[Board], name: str) -> str:
    """A pipe table per protocol; ends with a line break."""
    lines = [f"# Accuracies of {plain(name)}, by definition", "", NOTE]
    for board in found:
        lines += ["", f"## {plain(board.protocol)}", "", line(["Cell", *(plain(mode) for mode in board.names)])]
        lines.append(line([":-", *("-:" for _ in board.names)]))
        for row in board.rows:
            fields = (" ".join(board.text(row, mode)).strip() for mode in board.names)
            lines.append(line([plain(row.title), *fields]))
    return "\n".join(lines) + "\n"
