"""What each cell costs: the size of its network, its operations for one image, and the time of its training."""

from __future__ import annotations

from grid.report.stage_times import training_seconds
from grid.results.rows import Table
from grid.results.trends import complexity


def costs(table: Table) -> dict[str, list[float | None]]:
    """The quantities that any cell has: title with unit -> value by row of the table, None if unknown.

    Parameters and operations are those of backbone and head, which is what is used at test time; training is the duration of
    that stage on the machine that ran it.
    """
    counts = [complexity(row.cell.config) for row in table.rows]
    found = {
        "Parameters [million]": [None if one is None else one.parameters / 1e6 for one in counts],
        "Operations per image [MFLOPs]": [None if one is None else one.flops / 1e6 for one in counts],
        "Training [s]": [training_seconds(row) for row in table.rows],
    }
    return {title: values for title, values in found.items() if any(value is not None for value in values)}
