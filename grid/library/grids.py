"""Reads and plans grid files from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from grid.plan.plan import Plan, make_plan
from grid.spec.cell_filter import check_cell_filter
from grid.spec.grid_file import Grid, read
from grid.spec.levels import level_lists


def read_grid(path: str | Path, overrides: Sequence[str] = ()) -> Grid:
    """Reads a grid file with ``key.path=value`` overrides; ``grid.combinations()`` returns its cells.

    Raises:
        BadInput: one line with file, line, key, what was found and what is known.
    """
    return read(Path(path), overrides)


def plan(grid: Grid | str | Path, where: Mapping[str, str | Sequence[str]] | None = None) -> Plan:
    """The cells and stages of a grid with their states; computes nothing.

    Args:
        grid: a grid, or the path of its file
        where: axis -> level or levels of the cells to plan; None: all

    Raises:
        BadInput: as in ``read_grid``, or an unknown axis or level.
    """
    found, asked = grid if isinstance(grid, Grid) else read_grid(grid), level_lists(where)
    check_cell_filter(asked, found.axes, "where")
    return make_plan(found, asked)
