"""Whether the results of two studies differ beyond noise: paired tests of cells with equal levels, on the pairs of images of
both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.analysis.analysis import contrasts_of, drawn_metrics, has_everywhere
from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.comparisons import LEVEL
from grid.analysis.observations import Observation, items, observations
from grid.ledger.study import Study
from grid.results.columns import Column
from grid.results.rows import Row, Table
from grid.spec.stage_name import EVALUATE, StageName
from modules.metrics.intervals import normal_variance
from modules.metrics.paired_tests import Estimate, holm, student

COMMON = 0.9  # share of the pairs that both studies need to have for a paired test
PAIRED, SEPARATE, SAME = (
    "paired, over test subjects",
    "from the intervals of both, which need different pairs",
    "the same computation",
)
Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ResultChange:
    """One metric of one cell: ``second`` minus ``first``.

    Attributes:
        levels: of the cell, the axes that both studies have, without the replicate.
        first, second: values, means over replicates.
        estimate: the difference with its 95 % interval and p; None if no uncertainty is known.
        adjusted: p after Holm's correction over the cells of the metric.
        method: how the uncertainty was computed.
        seeds: whether the variance between replicates of both cells is in it.
    """

    column: Column
    levels: Levels
    first: float
    second: float
    estimate: Estimate | None
    adjusted: float | None
    method: str
    seeds: bool

    @property
    def differs(self) -> bool:
        return self.adjusted is not None and self.adjusted < LEVEL


def result_changes(first: Study, one: Table, second: Study, other: Table) -> list[ResultChange]:
    """Every metric of every protocol that both studies have, for cells with equal levels of the axes that both have.

    Args:
        one, other: the rows of ``first`` and ``second``.
    """
    axes = [factor.axis for factor in one.factors if factor.axis in {factor.axis for factor in other.factors}]
    found: list[ResultChange] = []
    for protocol in (name for name in one.protocols if name in other.protocols):
        groups = [_groups(study, table, protocol, axes) for study, table in ((first, one), (second, other))]
        shared = [levels for levels in groups[0] if levels in groups[1]]
        if shared:
            found += _of_protocol(first, protocol, shared, groups, one, other)
    return found


def _groups(study: Study, table: Table, protocol: str, axes: Sequence[str]) -> dict[Levels, list[Observation]]:
    """The replicates of each cell; cells that ``axes`` do not distinguish are left out."""
    found: dict[Levels, list[Observation]] = {}
    for seen in observations(table, protocol)[0]:
        key = tuple((axis, seen.levels[axis]) for axis in axes if axis in seen.levels)
        found.setdefault(key, []).append(replace(seen, study=study))
    return {key: seen for key, seen in found.items() if len({tuple(one.levels.items()) for one in seen}) == 1}


def _of_protocol(
    first: Study,
    protocol: str,
    shared: Sequence[Levels],
    groups: Sequence[Mapping[Levels, list[Observation]]],
    one: Table,
    other: Table,
) -> list[ResultChange]:
    seen: list[Observation] = []
    places: list[list[int]] = []
    for side in groups:
        for levels in shared:
            places.append(list(range(len(seen), len(seen) + len(side[levels]))))
            seen += side[levels]
    keys = {column.key for column in other.under(protocol)}
    columns = [column for column in one.under(protocol) if column.key in keys and has_everywhere(column, seen)]
    scored = items(first, protocol, seen)
    enough = scored is not None and len(scored.same) >= COMMON * (len(scored.same) + scored.left_out)
    drawn = drawn_metrics(scored, columns) if scored and enough else None
    found: list[ResultChange] = []
    for column in columns:
        cells = contrasts_of(column, seen, places, scored, drawn)
        changes = [_change(column, levels, n, len(shared), cells, seen) for n, levels in enumerate(shared)]
        tested = [n for n, change in enumerate(changes) if change.estimate]
        for n, p in zip(tested, holm([change.estimate.p for change in changes if change.estimate]), strict=True):
            changes[n] = replace(changes[n], adjusted=p)
        found += changes
    return found


def _change(
    column: Column, levels: Levels, number: int, count: int, cells: CellContrasts, seen: Sequence[Observation]
) -> ResultChange:
    sides = [[seen[place] for place in cells.groups[n]] for n in (number, number + count)]
    first, second = (cells.means[n] for n in (number, number + count))
    several = [len(side) > 1 for side in sides]
    seeds = all(several)
    contents = [sorted(_content(one.row, column.protocol) for one in side) for side in sides]
    if contents[0] == contents[1] and all(contents[0]):
        return ResultChange(column, levels, first, second, None, None, SAME, seeds)
    weights = np.zeros(2 * count)
    weights[number], weights[number + count] = -1, 1
    if estimate := (cells.estimate(weights) if cells.drawn or seeds else None):
        method = PAIRED if cells.drawn else "over seeds"
        return ResultChange(column, levels, first, second, estimate, None, method, seeds)
    variances = [_variance(side[0].row, column) for side in sides]
    if None in variances or any(several):
        return ResultChange(column, levels, first, second, None, None, "no uncertainty is known", seeds)
    total = sum(variance for variance in variances if variance is not None)
    estimate = student(second - first, total, math.inf, 1)
    return ResultChange(column, levels, first, second, estimate, None, SEPARATE, seeds)


def _content(row: Row, protocol: str) -> str:
    """The digest of the outputs of an evaluation; empty if there is none."""
    marker = row.markers.get(StageName(EVALUATE, protocol))
    return marker.content if marker else ""


def _variance(row: Row, column: Column) -> float | None:
    found = row.value(column)
    if found is None or found.low is None or found.high is None:
        return None
    return float(normal_variance(found.low, found.high))
