"""All definitions of accuracy that the field calls "LFW accuracy", side by side, from the same scores of each cell."""

from __future__ import annotations

from dataclasses import dataclass

from grid.report.markdown import line, plain
from grid.results.result import Result
from grid.results.rows import Row, Table

EXACT = "ten_fold"  # the reference for differences
MODES = "modes:"  # prefix of their metrics in the long table
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
        found = modes_of(row, self.protocol)
        mode = found.get(name)
        if mode is None or mode.value is None:
            return "–", ""
        spreads = {"s.e.": mode.se, "s.d.": mode.sd}
        spread = next((f"{word} {100 * value:.2f}" for word, value in spreads.items() if value is not None), "")
        exact = found[EXACT].value if EXACT in found else None
        differs = "" if name == EXACT or exact is None else f"{100 * (mode.value - exact):+.2f}"
        return f"{100 * mode.value:.2f}", " ".join(part for part in (spread, differs) if part)


def modes_of(row: Row, protocol: str) -> dict[str, Result]:
    """The accuracies of a cell under a protocol, by the name of their definition."""
    return {
        one.metric.removeprefix(MODES): one
        for one in row.results
        if one.heading == protocol and one.metric.startswith(MODES) and one.value is not None
    }


def boards(table: Table) -> list[Board]:
    """One per protocol for which some cell has modes."""
    found = []
    for protocol in table.compared:
        rows = tuple(row for row in table.rows if modes_of(row, protocol))
        names = dict.fromkeys(name for row in rows for name in modes_of(row, protocol))
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
