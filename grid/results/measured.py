"""Converts the files of finished stages to rows of the long table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from grid.ledger.ledger import Damaged, Ledger, Marker
from grid.ledger.study import CellView, finished
from grid.results.result import Result
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.measure import Measured, number_of
from grid.spec.stage_kind import StageName, known_kind, measured_in


def results_of(ledger: Ledger, cell: CellView, markers: Mapping[str, Marker]) -> Iterator[Result]:
    """Every number of a cell, stage by stage.

    Args:
        markers: the finished stages with intact outputs, by label.
    """
    for name in cell.names:
        if marker := markers.get(name):
            start, kind = started(cell, name, marker), known_kind(name.kind)
            headed = dataclasses.replace(start, heading=kind.heading(name))
            try:
                for one in kind.measured(finished(ledger, name, marker)):
                    yield _filled(headed, one)
            except Damaged:
                continue  # damaged since it was checked
            yield dataclasses.replace(start, metric="seconds", value=marker.finished - marker.started)


def started(cell: CellView, name: StageName, marker: Marker | None = None) -> Result:
    """A row for that stage without a value."""
    replicate, about = cell.levels.get(REPLICATE), known_kind(name.kind).about(name)
    return Result(
        cell=cell.id,
        factors=other_levels(cell.levels),
        replicate=int(replicate) if replicate is not None and replicate.isdecimal() else None,
        stage=name.kind,
        metric="",
        value=None,
        stage_id=marker.id if marker else None,
        protocol=about.get("protocol"),
        explainer=about.get("explainer"),
        split=about.get("split"),
    )


def measured(result: Mapping[str, Any], start: Result) -> Iterator[Result]:
    """One row per entry of a JSON value that has a ``value``, such as ``metrics.json``; the metric is the path to the entry."""
    for one in measured_in(result):
        yield _filled(start, one)


def _filled(start: Result, one: Measured) -> Result:
    entry = one.entry
    numbers: dict[str, Any] = {key: number_of(entry.get(key)) for key in ("value", "low", "high", "se", "sd")}
    spread = {"standard error": "se", "standard deviation": "sd"}.get(str(entry.get("spread_is")))  # of an accuracy mode
    if spread and spread not in entry:
        numbers[spread] = number_of(entry.get("spread"))
    return dataclasses.replace(
        start,
        metric=one.metric,
        map=one.map,
        split=one.split or start.split,
        interval=entry.get("method"),
        reason=entry.get("reason") or ("not a finite number" if numbers["value"] is None and entry.get("value") else None),
        n=entry.get("n", one.count),
        **numbers,
    )
