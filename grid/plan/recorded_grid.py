"""A grid as a study recorded it, for commands that go on with a study: its grid file may have changed since or be elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from grid.ledger.study import CellView, Study
from grid.spec.cell import Cell
from grid.spec.grid_file import BadInput, Combination, Grid, Spec
from grid.spec.launch_settings import Launch
from grid.spec.levels import REPLICATE
from grid.spec.yaml_source import YamlSource


@dataclass(frozen=True)
class RecordedGrid(Grid):
    """A grid whose combinations come from plan.json."""

    points: tuple[Combination, ...] = ()

    @property
    def size(self) -> int:
        return len(self.points)

    def combinations(self) -> Iterator[Combination]:
        return iter(self.points)


def recorded_grid(
    study: Study, cells: Sequence[CellView], address: str | None = None, changed: Mapping[str, Any] | None = None
) -> RecordedGrid:
    """The grid of these cells, with the study's folder, store, tracking and launch settings.

    Args:
        address: of a Ray cluster
        changed: keys of every cell to replace

    Raises:
        BadInput: plan.json has a cell that this version cannot read.
    """
    path = study.path / "plan.json"
    try:
        points = tuple(
            Combination(cell.levels, Cell.model_validate({**cell.config, **(changed or {})}))
            if cell.config
            else Combination(cell.levels, None, cell.reason)
            for cell in cells
        )
    except ValidationError as error:
        why = " ".join(str(error.errors()[0]["msg"]).split())
        raise BadInput(f"{path}: a cell cannot be read here ({why}); launching the grid writes it again") from error
    settings = {"study": study.path, "store": study.store, "tracking": study.record["tracking"]}
    launch = Launch.model_validate({**study.record.get("launch", {}), **settings, "address": address})
    axes: Any = {axis: {level: {} for level in levels} for axis, levels in study.axes.items() if axis != REPLICATE}
    spec = Spec(name=study.name, base={}, axes=axes, replicates=study.record["replicates"], launch=launch)
    return RecordedGrid(spec, YamlSource(path, study.record), points=points)
