"""Sequential replication of a study: how many replicates each cell has, and what decided it. Read from the ledger only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grid.ledger.study import Study
from grid.results.rows import Table
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.replication import Replication
from modules.metrics.sequential_replication import Judged, Replicated, replicated


@dataclass(frozen=True)
class Replicates:
    """The replicates of a study.

    Attributes:
        rule: of the grid file.
        protocol: whose metric decides.
        cells: levels of each, without the replicate.
        done: number of replicates of each cell with a value of the metric.
        found: what they decide, by the numbers of the cells.
    """

    rule: Replication
    protocol: str
    cells: tuple[Mapping[str, str], ...]
    done: tuple[int, ...]
    found: Replicated

    def of(self, cell: int) -> list[Judged]:
        """The contrasts of a cell."""
        return [one for one in self.found.contrasts if cell in one.contrast]


def replicates(study: Study, table: Table) -> Replicates | None:
    """None if the number of replicates is fixed.

    Args:
        table: the study's rows.
    """
    record = study.record.get("replication")
    if record is None:
        return None
    rule = Replication.model_validate({key: record[key] for key in Replication.model_fields})
    cells = [dict(levels) for levels in record["cells"]]
    values: list[dict[int, float]] = [{} for _ in cells]
    for row in table.rows:
        levels = other_levels(row.cell.levels)
        wanted = record["protocol"], rule.until.metric
        value = next((one.value for one in row.results if (one.heading, one.metric) == wanted), None)
        if value is not None and levels in cells:
            values[cells.index(levels)][int(row.cell.levels[REPLICATE])] = value
    ordered = [[own.get(number) for number in range(rule.at_most)] for own in values]
    found = replicated(ordered, rule.contrasts(cells), rule.looks, rule.until.half_width)
    return Replicates(rule, record["protocol"], tuple(cells), tuple(len(own) for own in values), found)
