"""Sweeps of a study: the protocols that differ in one setting of an image transform, such as the JPEG quality."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from grid.ledger.study import CellView
from grid.results.columns import Column
from grid.results.result import Result
from grid.spec.sweeps import words


class Numbers(Protocol):
    """A row of a table: its number in each column."""

    def value(self, column: Column) -> Result | None: ...


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        of: title of the protocol before the transform.
        key: the setting, such as ``jpeg.quality``.
        protocols: value of the setting -> title of its protocol, in the order of the grid file.
        plain: the title of the same protocol without the transform, if it was evaluated; else None.
        columns: the measurements, each with ``of`` as its protocol.
    """

    of: str
    key: str
    protocols: dict[float, str] = field(default_factory=dict)
    plain: str | None = None
    columns: tuple[Column, ...] = ()

    @property
    def setting(self) -> str:
        """The setting in words, such as ``jpeg quality``."""
        return words(self.key)

    @property
    def title(self) -> str:
        return f"{self.of} by {self.setting}"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(value as text, protocol), that without the transform first."""
        plain = [("unchanged", self.plain)] if self.plain else []
        return [*plain, *((f"{value:g}", protocol) for value, protocol in self.protocols.items())]

    def value(self, row: Numbers, protocol: str, column: Column) -> Result | None:
        """A cell's number under one of the protocols."""
        return row.value(replace(column, protocol=protocol))


def sweeps_of(cells: Iterable[CellView]) -> list[Sweep]:
    """The sweeps of the cells' protocols, still without columns."""
    found: dict[tuple[str, str], Sweep] = {}
    plain: set[str] = set()
    for protocol in (one for cell in cells for one in cell.config.get("protocols", ())):
        if point := protocol.get("sweep_point"):
            sweep = found.setdefault((point["of"], point["key"]), Sweep(point["of"], point["key"]))
            sweep.protocols[float(point["value"])] = _title(protocol)
        elif not protocol.get("transforms"):
            plain.add(_title(protocol))
    return [replace(sweep, plain=sweep.of if sweep.of in plain else None) for sweep in found.values()]


def separated(columns: Sequence[Column], sweeps: Sequence[Sweep]) -> tuple[list[Column], tuple[Sweep, ...]]:
    """The columns of protocols in no sweep, and the sweeps with theirs."""
    owners = {protocol: number for number, sweep in enumerate(sweeps) for protocol in sweep.protocols.values()}
    own: list[dict[str, Column]] = [{} for _ in sweeps]
    others = []
    for column in columns:
        if column.protocol in owners:
            sweep = sweeps[owners[column.protocol]]
            own[owners[column.protocol]].setdefault(column.key, replace(column, protocol=sweep.of))
        else:
            others.append(column)
    return others, tuple(replace(sweep, columns=tuple(mine.values())) for sweep, mine in zip(sweeps, own, strict=True))


def _title(protocol: dict[str, Any]) -> str:
    return str(protocol.get("label") or protocol["name"])
