"""Which cells differ significantly: paired tests of two cells on the same test items, corrected for their number.

Up to ``MOST_CELLS`` cells are compared in all pairs; of more, the best by the metric and those that are asked for. 500 cells
have 124,750 pairs: the correction for all of them would hide most differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.item_tests import Check, item_tests
from grid.analysis.observations import Items
from modules.metrics.paired_tests import Estimate, equivalence, holm, student

LEVEL = 0.05
MARGIN = 0.01  # one point
MOST_CELLS = 40  # that are compared in all pairs


@dataclass(frozen=True)
class Comparison:
    """``first`` minus ``second`` under one metric.

    Attributes:
        first, second: numbers of cells.
        difference: with the interval and p of the paired bootstrap, to which the variance between seeds is added if there
            are replicates.
        adjusted: that p after Holm's correction over all compared pairs of cells.
        equivalent: p of TOST after Holm's correction: below 0.05, the difference is smaller than the margin.
        check: the classical test: DeLong's for ``auc``, over subjects if they are known, and McNemar's of independent pairs for
            accuracies; None for others.
    """

    first: int
    second: int
    difference: Estimate
    adjusted: float
    equivalent: float
    check: Check | None

    @property
    def differs(self) -> bool:
        return self.adjusted < LEVEL


@dataclass(frozen=True)
class Comparisons:
    """The compared pairs of cells under one metric.

    Attributes:
        order: numbers of all cells, best first.
        values: the metric of each cell, by number; the mean over its replicates.
        pairs: of any two compared cells; ``first`` is the better one.
        margin: of equivalence, in the unit of the metric.
        asked: cells that are compared because they were asked for, and are not among the best.
    """

    order: tuple[int, ...]
    values: tuple[float, ...]
    pairs: tuple[Comparison, ...]
    margin: float
    asked: tuple[int, ...] = ()

    @cached_property
    def compared(self) -> tuple[int, ...]:
        """The cells that are compared with each other, best first."""
        there = {cell for pair in self.pairs for cell in (pair.first, pair.second)}
        return tuple(cell for cell in self.order if cell in there)

    @cached_property
    def _by_cells(self) -> dict[tuple[int, int], Comparison]:
        return {cells: pair for pair in self.pairs for cells in ((pair.first, pair.second), (pair.second, pair.first))}

    def between(self, one: int, other: int) -> Comparison:
        """The comparison of two compared cells."""
        return self._by_cells[one, other]

    @cached_property
    def tied(self) -> list[tuple[int, ...]]:
        """The largest runs of compared cells, best first, of which no two differ significantly; runs may overlap."""
        cells, found, first, end = self.compared, list[tuple[int, ...]](), 0, 0
        for stop in range(len(cells) + 1):  # a run may go from ``first`` to before ``stop``
            last = next((one for one in range(stop - 1, first - 1, -1) if self._differ(one, stop)), None)
            if stop == len(cells) or last is not None:
                if stop > end:  # not part of the run before
                    found.append(cells[first:stop])
                    end = stop
                first = first if last is None else last + 1
        return found

    def _differ(self, one: int, other: int) -> bool:
        cells = self.compared
        return other < len(cells) and self.between(cells[one], cells[other]).differs


def comparisons(
    cells: CellContrasts,
    scored: Items,
    *,
    lower_is_better: bool = False,
    margin: float = MARGIN,
    asked: Collection[int] = (),
    most: int = MOST_CELLS,
) -> Comparisons:
    """Compares every two cells, or of more than ``most`` the best.

    Args:
        cells: with resampled observations.
        scored: the scores of the observations.
        margin: differences below it do not matter; in the unit of the metric.
        asked: numbers of cells to compare even if they are not among the best.
        most: number of the best cells that are compared.

    Raises:
        ValueError: the margin is not above 0.
    """
    means = cells.means
    order = sorted(range(len(means)), key=lambda number: means[number], reverse=not lower_is_better)
    more = tuple(cell for cell in order[most:] if cell in asked)
    check = item_tests(cells.metric, cells.groups, scored)
    found: list[Comparison] = []
    equal: list[float] = []
    for one, other in itertools.combinations([*order[:most], *more], 2):
        weights = np.zeros(len(means))
        weights[one], weights[other] = 1, -1
        moments = cells.moments(weights)
        assert moments is not None, cells.metric
        value = means[one] - means[other]
        equal.append(equivalence(value, *moments, margin))
        found.append(Comparison(one, other, student(value, *moments, cells.units), 1.0, 1.0, check(one, other)))
    adjusted, equivalent = holm([pair.difference.p for pair in found]), holm(equal)
    tested = [pair.check for pair in found if pair.check]  # of all pairs or of none: the metric decides
    corrected = [replace(one, adjusted=p) for one, p in zip(tested, holm([one.p for one in tested]), strict=True)]
    checks: list[Check | None] = [*corrected] or [None] * len(found)
    pairs = tuple(
        replace(pair, adjusted=p, equivalent=q, check=checked)
        for pair, p, q, checked in zip(found, adjusted, equivalent, checks, strict=True)
    )
    return Comparisons(tuple(order), tuple(means), pairs, margin, more)
