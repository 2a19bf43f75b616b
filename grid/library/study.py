"""A study as an object: its results, and its trained networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grid.ledger.study import Study as Record
from grid.spec.cell_filter import check_cell_filter
from grid.spec.grid_file import BadInput
from grid.spec.levels import cell_title, level_lists, selects

if TYPE_CHECKING:
    from grid.analysis.analysis import ProtocolAnalysis
    from grid.library.network import TrainedNetwork


class Study:
    """A study's folder after a launch; read-only.

    Args:
        path: such as ``studies/demo``

    Raises:
        BadInput: the folder is not a study; one line.
    """

    def __init__(self, path: str | Path) -> None:
        self.record = Record(Path(path))

    @property
    def name(self) -> str:
        """The name of the grid."""
        return self.record.name

    @property
    def axes(self) -> dict[str, list[str]]:
        """Every factor with its levels, in the order of the grid file."""
        return self.record.axes

    def results(self) -> Any:
        """Every number of the study as a ``pandas.DataFrame``, a row per cell, stage and metric.

        Columns: the cell, one per factor, ``replicate``, ``stage``, ``protocol``, ``metric``, ``value``, ``low``, ``high`` (a
        95 % interval), and others described in ``grid.results.result.Result``.
        """
        from grid.results.results import results

        return results(self.record).to_pandas()

    def effects(self) -> Any:
        """The effect of every level and of every combination of two, as a ``pandas.DataFrame``, a row per metric and effect.

        ``effect`` is the difference from the mean of all cells, as a fraction; ``items_low`` to ``items_high`` is its 95 %
        interval for other test subjects, ``seeds_low`` to ``seeds_high`` for other seeds. ``items_adjusted`` and
        ``seeds_adjusted`` are the p values of the whole factor, after Holm's correction. See docs/analysis.md.
        """
        from grid.analysis.records import effect_records

        return self._frame(effect_records(self._analyzed()))

    def compare(self, margin: float = 0.01, where: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        """Every two cells on the same pairs of images, as a ``pandas.DataFrame``, a row per metric and pair of cells.

        Of more than 40 cells, the best 40 by each metric are compared, and those that ``where`` selects.

        ``difference`` is ``better`` minus ``other``, with its paired 95 % interval from ``low`` to ``high``; ``adjusted`` is
        its p value after Holm's correction. ``equivalent`` below 0.05: the difference is smaller than ``margin``.

        Args:
            margin: a difference that does not matter, as a fraction: 0.01 is one point
            where: axis -> level or levels of cells to compare even if they are not among the best

        Raises:
            ValueError: the margin is not above 0.
            BadInput: an unknown axis or level; lists the choices.
        """
        from grid.analysis.records import comparison_records

        asked = level_lists(where)
        check_cell_filter(asked, self.axes, str(self.record.path))
        return self._frame(comparison_records(self._analyzed(margin, asked)))

    def _analyzed(
        self, margin: float | None = None, asked: Mapping[str, Sequence[str]] | None = None
    ) -> list[ProtocolAnalysis]:
        from grid.analysis.analysis import analyze
        from grid.analysis.comparisons import MARGIN
        from grid.results.rows import table

        return analyze(self.record, table(self.record), MARGIN if margin is None else margin, asked)

    @staticmethod
    def _frame(records: list[dict[str, Any]]) -> Any:
        import pandas as pd

        return pd.DataFrame(records)

    def load(self, levels: Mapping[str, str] | None = None, /, **more: object) -> TrainedNetwork:
        """The trained network of the one cell with those levels, such as ``load(backbone="resnet34", detection="mtcnn")``.

        Args:
            levels: for axes whose names are not Python identifiers
            more: axis=level; axes with one level may be omitted

        Raises:
            BadInput: an unknown axis or level, none or several such cells, or a cell that is not trained; lists the choices.
        """
        from grid.library.network import TrainedNetwork
        from grid.results.model_loader import find

        chosen = {axis: [str(level)] for axis, level in {**(levels or {}), **more}.items()}
        check_cell_filter(chosen, self.axes, str(self.record.path))
        cells = [cell for cell in self.record.cells if not cell.hidden and selects(chosen, cell.levels)]
        if len(cells) != 1:
            some = "; ".join(cell.title for cell in cells[:6])
            given = cell_title({axis: level for axis, (level,) in chosen.items()}) if chosen else "load() without levels"
            rest = "; ..." if len(cells) > 6 else ""
            raise BadInput(
                f"{given} selects {len(cells)} cells of {self.record.path}{': ' if some else ''}{some}{rest}; give levels that "
                "select one cell"
            )
        return TrainedNetwork(find(self.record.path, {axis: [level] for axis, level in cells[0].levels.items()}))

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis} ({len(levels)})" for axis, levels in self.axes.items())
        return f"<study {self.name}: {len(self.record.cells)} cells; axes: {axes or 'none'}>"
