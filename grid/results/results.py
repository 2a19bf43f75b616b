"""The results of a study as one long table, with a row per cell, protocol and metric: the basis of reports and statistics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grid.ledger.study import Study
from grid.results.result import COLUMNS, Result
from grid.results.rows import table
from grid.spec.grid_file import BadInput
from grid.spec.levels import REPLICATE


@dataclass(frozen=True)
class Results:
    """Rows in the order of the plan. ``len()`` and iteration apply to ``rows``.

    Attributes:
        axes: the factors, without the replicate.
    """

    rows: tuple[Result, ...]
    axes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.rows)

    def where(self, factors: Mapping[str, Any] | None = None, /, **conditions: Any) -> Results:
        """The rows that match every condition: ``where(metric="eer", backbone=["resnet34", "alexnet"])``.

        Args:
            factors: axis -> level or levels, for axes whose names are not Python identifiers.
            conditions: column or axis -> value, or a list of accepted values.

        Raises:
            BadInput: there is no such column or axis, or no row has such a value.
        """
        rows = list(self.rows)
        for name, wanted in {**(factors or {}), **conditions}.items():
            known = self._values(name)
            values = list(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
            if unknown := [value for value in values if value not in known]:
                there = ", ".join(sorted(map(repr, known))) or "none"
                raise BadInput(f"results: no line has {name} {unknown[0]!r}; there are {there}")
            rows = [row for row in rows if self._value(row, name) in values]
        return Results(tuple(rows), self.axes)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table: one per factor follows ``cell``; a factor with a taken name becomes ``factor.<axis>``."""
        first, *others = COLUMNS
        return (first, *(self._titles[axis] for axis in self.axes), *others)

    def records(self) -> list[dict[str, Any]]:
        """One mapping per row, by ``columns``."""
        return [
            {
                **{self._titles[axis]: row.factors.get(axis) for axis in self.axes},
                **{name: getattr(row, name) for name in COLUMNS},
            }
            for row in self.rows
        ]

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with these ``columns``."""
        import pandas as pd

        return pd.DataFrame(self.records(), columns=list(self.columns))

    @cached_property
    def seconds(self) -> float:
        """Total duration of all stages; shared stages count once."""
        return sum({row.stage_id: row.value or 0.0 for row in self.rows if row.metric == "seconds"}.values())

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {axis: f"factor.{axis}" if axis in COLUMNS else axis for axis in self.axes}

    def _value(self, row: Result, name: str) -> Any:
        return row.factors.get(name) if name in self.axes else getattr(row, name)

    def _values(self, name: str) -> set[Any]:
        if name not in self.axes and name not in COLUMNS:
            raise BadInput(f"results: no column {name!r}; there are {', '.join((*self.axes, *COLUMNS))}")
        return {self._value(row, name) for row in self.rows}


def results(study: Study | Path | str) -> Results:
    """Every number of the cells in the grid file, read from the study's folder.

    Raises:
        BadInput: the folder is not a study, or its store is not there.
    """
    study = study if isinstance(study, Study) else Study(Path(study))
    return of_rows((row for cell in table(study).rows for row in cell.results), study.axes)


def of_rows(rows: Iterable[Result], axes: Iterable[str]) -> Results:
    """The table of these rows."""
    return Results(tuple(rows), tuple(axis for axis in axes if axis != REPLICATE))
