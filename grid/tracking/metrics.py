"""The numbers of a run: a learning curve per epoch, and the headline results of every finished stage.

Metrics are grouped by the part of their name before the slash, and MLflow sorts the groups by name, so the learning curves come
first. An evaluation logs the results shown in the report; intervals, counts and thresholds are in the artifact
``metrics/<protocol>.json``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from configs.component import digest
from grid.ledger.ledger import Ledger, Marker
from grid.results.columns import Column
from grid.spec.finished import Finished
from grid.spec.measure import is_number
from grid.spec.stage_kind import MOST, StageName, known_kind
from grid.tracking.names import safe, segment

SPEED = "images_per_second"  # depends on the machine: shown, but differs between equal computations
BOOKKEEPING = frozenset({"epoch", "step", "time", "seconds", "position", "whole", "checkpoint", "sha256", "best_checkpoint"})


@dataclass(frozen=True)
class Point:
    """One value of a metric."""

    key: str
    value: float
    time: int  # unix milliseconds
    step: int


def curve(ledger: Ledger, kind: str, id: str, marker: Marker | None) -> list[list[Point]]:
    """One list of points per finished epoch, in order, with the times at which they ended. Epochs count from 1."""
    rows = ledger.events(kind, id)
    if marker and len(rows) < marker.facts.get("epochs", 0):  # events may have been freed; the history never is
        rows = [
            {"time": marker.finished, **timing, **row}
            for timing, row in zip(_timing(ledger, marker), ledger.json(marker, "history.json"), strict=False)
        ]
    group = segment(known_kind(kind).curves)
    return [
        [
            Point(safe(f"{group}/{key}"), value, milliseconds(row["time"]), row["epoch"] + 1)
            for key, value in _numbers(row, BOOKKEEPING)
        ]
        for row in rows
    ]


def curve_digest(rows: Sequence[Sequence[Point]]) -> str:
    """Digest of the values only: a repeated computation has other times and the same values."""
    return digest([[point.step, point.key, point.value] for row in rows for point in row if not point.key.endswith(SPEED)])[:16]


def finals(stage: Finished, finished: float) -> list[Point]:
    """The final numbers of a finished stage, named by its kind, at that time."""
    found = {"/".join(map(segment, name)): value for name, value in known_kind(stage.label.kind).logged(stage).items()}
    return [Point(safe(key), value, milliseconds(finished), 0) for key, value in _numbers(found)]


def columns_logged(label: StageName, *results: Mapping[str, Any]) -> list[Column]:
    """The columns of a stage that are logged; headlines first."""
    kind = known_kind(label.kind)
    measures = kind.measures(results) if results else []
    columns = [Column(kind.heading(label), task=kind.group(results), **vars(one)) for one in measures]
    return sorted(columns, key=lambda column: not column.headline)[:MOST]


def metric_key(label: StageName, column: Column) -> str:
    """``lfw view 2/accuracy_ten_fold``, ``lfw view 2/val_at_far_0.001``."""
    return safe("/".join(map(segment, known_kind(label.kind).metric(label, column.key))))


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _numbers(row: Mapping[str, Any], skipped: Collection[str] = ()) -> Iterator[tuple[str, float]]:
    for key, value in row.items():
        if key not in skipped and is_number(value) and math.isfinite(value):
            yield key, float(value)


def _timing(ledger: Ledger, marker: Marker) -> Iterator[dict[str, Any]]:
    """One row per epoch, without end; empty rows where nothing is known."""
    timing = ledger.json(marker, "timing.json") if "timing.json" in marker.outputs else []
    if isinstance(timing, dict):  # columns
        timing = [dict(zip(timing, row, strict=True)) for row in zip(*timing.values(), strict=True)]
    return chain(timing, repeat({}))
