"""The results of a study as one long table: a line per cell, protocol and metric. Reports and statistics start from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grid.ledger.study import Study
from grid.results.result import COLUMNS, Result
from grid.results.rows import table
from grid.spec.grid_file import REPLICATE, BadInput


@dataclass(frozen=True)
class Results:
    """Lines in the order of the plan. ``len()`` and iteration are over ``rows``.

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
        """The lines that meet every condition: ``where(metric="eer", backbone=["resnet34", "alexnet"])``.

        Args:
            factors: axis -> level or levels, for axes whose names are no Python names.
            conditions: column or axis -> value, or a list of values of which any is meant.

        Raises:
            BadInput: there is no such column or axis, or no line has such a value.
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
        """The columns of the table: one per factor after ``cell``; an axis that is called like another is ``factor.<axis>``."""
        first, *others = COLUMNS
        return (first, *(self._titles[axis] for axis in self.axes), *others)

    def records(self) -> list[dict[str, Any]]:
        """One mapping per line, by ``columns``."""
        return [
            {
                **{self._titles[axis]: row.factors.get(axis) for axis in self.axes},
                **{name: getattr(row, name) for name in COLUMNS},
            }
            for row in self.rows
        ]

    def to_pandas(self) -> Any:
        """As a ``pandas.DataFrame`` of ``columns``."""
        import pandas as pd

        return pd.DataFrame(self.records(), columns=list(self.columns))

    @cached_property
    def seconds(self) -> float:
        """How long all stages took; one that several cells share counts once."""
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
    """Every number of the cells that the grid file has, read from the study's folder.

    Raises:
        BadInput: the folder is no study, or its store is not there.
    """
    study = study if isinstance(study, Study) else Study(Path(study))
    return of_rows((row for cell in table(study).rows for row in cell.results), study.axes)


def of_rows(rows: Iterable[Result], axes: Iterable[str]) -> Results:
    """The table of these lines."""
    return Results(tuple(rows), tuple(axis for axis in axes if axis != REPLICATE))
