"""Converts the files of finished stages to rows of the long table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from grid.ledger.ledger import Damaged, Ledger, Marker
from grid.ledger.study import CellView, finished
from grid.results.result import Result
from grid.spec.grid_file import REPLICATE
from grid.spec.measure import entry_of, measures_in
from grid.spec.stage_kind import StageName, known_kind

SCORE = "score.json"
COUNTS = ("pairs", "probes", "images", "templates")  # the counts reported by a task's metrics
TRAINED = ("epochs", "parameters", "classes", "images", "skipped_images", "missing_faces")  # facts reported for a training


def results_of(ledger: Ledger, cell: CellView, markers: Mapping[str, Marker]) -> Iterator[Result]:
    """Every number of a cell, stage by stage.

    Args:
        markers: the finished stages with intact outputs, by label.
    """
    for name in cell.names:
        if marker := markers.get(name):
            start = started(cell, name, marker)
            try:
                yield from _of_stage(ledger, name, marker, start)
            except Damaged:
                continue  # damaged since it was checked
            yield dataclasses.replace(start, metric="seconds", value=marker.finished - marker.started)


def started(cell: CellView, name: StageName, marker: Marker | None = None) -> Result:
    """A row for that stage without a value."""
    replicate = cell.levels.get(REPLICATE)
    return Result(
        cell=cell.id,
        factors={axis: level for axis, level in cell.levels.items() if axis != REPLICATE},
        replicate=int(replicate) if replicate is not None and replicate.isdecimal() else None,
        stage=name.kind,
        metric="",
        value=None,
        protocol=name.about if name.kind == "evaluate" else None,
        explainer=name.titles[0] if name.kind in ("explain", "score") else None,
        split="test" if name.kind == "evaluate" else None,
        stage_id=marker.id if marker else None,
    )


def measured(result: Mapping[str, Any], start: Result) -> Iterator[Result]:
    """One row per entry of a JSON value that has a ``value``, such as ``metrics.json``; the metric is the path to the entry."""
    count = next((int(result[key]) for key in COUNTS if isinstance(result.get(key), int)), None)
    for measure in measures_in([result]):
        entry = entry_of(result, measure.key)
        assert entry is not None
        yield _filled(start, measure.key, entry, count)


def _of_stage(ledger: Ledger, name: StageName, marker: Marker, start: Result) -> Iterator[Result]:
    kind = known_kind(name.kind)
    if (shown := kind.result(finished(ledger, name, marker))) is not None:
        yield from measured(shown, dataclasses.replace(start, heading=kind.heading(name)))
    elif SCORE in marker.outputs:
        result = ledger.json(marker, SCORE)
        for map_name, entries in result.get("maps", {}).items():
            for key, entry in entries.items():
                metric = f"{name.titles[-1]}:{key}"
                yield dataclasses.replace(_filled(start, metric, entry, result.get("count")), map=map_name)
    elif name.kind == "train":
        for key in ("loss", "accuracy"):
            value = marker.facts.get(f"validation_{key}")
            if value is not None:
                count = marker.facts.get("validation_images")
                yield dataclasses.replace(start, metric=key, value=float(value), split="validation", n=count)
        for key in TRAINED:
            found = marker.facts.get(key)
            for part, value in (
                found.items() if isinstance(found, Mapping) else [("", found)]
            ):  # by target where there are several
                if value is not None:
                    yield dataclasses.replace(start, metric=f"{key}_{part}".strip("_"), value=float(value), split="train")


def _filled(start: Result, metric: str, entry: Mapping[str, Any], count: int | None) -> Result:
    numbers: dict[str, Any] = {key: _number(entry.get(key)) for key in ("value", "low", "high", "se")}
    if "se" not in entry and entry.get("spread_is") == "standard error":  # of an accuracy mode
        numbers["se"] = _number(entry.get("spread"))
    return dataclasses.replace(
        start, metric=metric, interval=entry.get("method"), reason=entry.get("reason"), n=entry.get("n", count), **numbers
    )


def _number(value: Any) -> float | None:
    return None if value is None or isinstance(value, bool) else float(value)
