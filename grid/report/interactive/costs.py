"""What each cell costs: the size of its network, its operations for one image, and the time of its training."""

from __future__ import annotations

from dataclasses import dataclass

from grid.report.stage_times import training_seconds
from grid.results.rows import Table
from grid.results.trends import complexity


@dataclass(frozen=True)
class Cost:
    """One quantity.

    Attributes:
        title: with its unit.
        values: by row of the table; None if unknown.
    """

    title: str
    values: tuple[float | None, ...]


def costs(table: Table) -> list[Cost]:
    """The quantities that any cell has. Parameters and operations are those of backbone and head, which is what is used at
    test time; training is the duration of that stage on the machine that ran it."""
    counts = [complexity(row.cell.config) for row in table.rows]
    found = [
        Cost("Parameters [million]", tuple(None if one is None else one.parameters / 1e6 for one in counts)),
        Cost("Operations per image [MFLOPs]", tuple(None if one is None else one.flops / 1e6 for one in counts)),
        Cost("Training [s]", tuple(training_seconds(row) for row in table.rows)),
    ]
    return [one for one in found if any(value is not None for value in one.values)]
