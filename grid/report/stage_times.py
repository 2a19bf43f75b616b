"""Stage durations: per cell for its own stages, and for shared stages, each counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grid.results.rows import Row, Table
from grid.spec.stage_name import TRAIN


@dataclass(frozen=True)
class Shared:
    """A stage shared by several cells."""

    stage: str  # its label in the first of them
    cells: int
    seconds: float


@dataclass(frozen=True)
class Times:
    """Durations in seconds.

    Attributes:
        own: id of a cell -> total of its finished stages that no other cell shares
        total: of all finished stages
    """

    own: Mapping[str, float]
    shared: tuple[Shared, ...]
    total: float


def times(table: Table) -> Times:
    """The durations of all shown cells."""
    labels = {id: str(label) for row in reversed(table.rows) for label, id in row.cell.stages.items()}
    seconds: dict[str, float] = {}
    owners: dict[str, dict[str, None]] = {}  # a cell may have one stage under several labels
    for row in table.rows:
        for one in row.results:
            if one.metric == "seconds" and one.cell and one.stage_id:
                seconds[one.stage_id] = one.value or 0.0
                owners.setdefault(one.stage_id, {})[one.cell] = None
    own = {row.cell.id: 0.0 for row in table.rows if row.cell.id}
    for id, cells in owners.items():
        if len(cells) == 1:
            own[next(iter(cells))] += seconds[id]
    shared = tuple(Shared(labels[id], len(cells), seconds[id]) for id, cells in owners.items() if len(cells) > 1)
    return Times(own, shared, sum(seconds.values()))


def training_seconds(row: Row) -> float | None:
    """Duration of a finished training; None before that."""
    marker = row.markers.get(TRAIN)
    return marker.finished - marker.started if marker else None
