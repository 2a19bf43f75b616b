"""Whose pictures are inside the page: all cells, or of very many the best ones and those asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from grid.results.columns import Column
from grid.results.rows import Row, Table
from grid.spec.levels import selects
from grid.terminal import command

MOST_CELLS = 60  # with pictures; a page of 500 cells would have 500 rows of faces for each method
MOST_TILES = 4000  # images of all contact sheets together: about 12 MB
LEAST_CELLS = 6  # of a sheet, however many methods there are
BUDGET = 40_000_000  # characters that all pictures add to the page


@dataclass(frozen=True)
class Pictured:
    """The cells whose maps and pictures are shown.

    Attributes:
        rows: in the order of the plan.
        of: number of cells that have outputs.
        by: the metric that decided which cells are shown; None if all are, or no cell has a number.
        asked: how many of ``rows`` were asked for.
        ranked: ``rows``, those asked for and then the best first.
    """

    rows: tuple[Row, ...]
    of: int
    by: Column | None
    asked: int
    ranked: tuple[Row, ...]

    def within(self, sheets: int, columns: int) -> tuple[Row, ...]:
        """The cells that ``sheets`` sheets of as many columns can show with ``MOST_TILES`` tiles."""
        most = max(LEAST_CELLS, MOST_TILES // max(1, sheets * columns))
        kept = set(map(id, self.ranked[:most]))
        return tuple(row for row in self.rows if id(row) in kept)

    def words(self, study: str, shown: int, store: str) -> str:
        """What is left out and where it is; empty if nothing is."""
        if shown >= self.of:
            return ""
        asked = "those asked for and " if self.asked else ""
        best = f", {asked}the best by {self.by.title} on {self.by.protocol}" if self.by else ""
        return (
            f"{shown} of {self.of} cells are shown here{best}. The maps and pictures of the others are in {store}; "
            f"{command('facegrid', 'report', study)} --compare axis=level shows those of other cells."
        )


def pictured(table: Table, asked: Mapping[str, Collection[str]] | None = None) -> Pictured:
    """The cells with pictures: those asked for, then the best by the first headline metric, ``MOST_CELLS`` in all."""
    there = [row for row in table.rows if row.markers]
    by = next((one for one in table.columns if one.headline), None)
    wanted = [row for row in there if asked and selects(asked, row.cell.levels)]
    known = set(map(id, wanted))
    others = [row for row in there if id(row) not in known]
    ranked = [*wanted, *sorted(others, key=lambda row: _worth(row, by))]  # stable: else in the order of the plan
    ranked = ranked[:MOST_CELLS]
    kept = set(map(id, ranked))
    rows = tuple(row for row in there if id(row) in kept)
    return Pictured(rows, len(there), by, min(len(wanted), MOST_CELLS), tuple(ranked))


def _worth(row: Row, column: Column | None) -> float:
    """Lower is better; cells without a number come last."""
    value = None if column is None else row.number(column)
    if column is None or value is None:
        return float("inf")
    return value if column.lower_is_better else -value
