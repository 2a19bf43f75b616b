"""Samples of the machine as metrics of a run: MLflow shows the group ``system`` on a page of its own."""

from __future__ import annotations

from grid.ledger.attempt_log import SYSTEM, read_log
from grid.ledger.ledger import Ledger, Marker
from grid.spec.measure import is_number
from grid.tracking.metrics import Point, milliseconds
from grid.tracking.names import safe

POINTS = 100  # per metric and stage; of more samples, evenly spaced ones


def system_points(ledger: Ledger, kind: str, marker: Marker, start: int) -> list[Point]:
    """The samples of the attempt that computed a stage.

    Args:
        start: of the run, in unix milliseconds. The step of a sample is the number of milliseconds since then, so that the
            stages of a cell follow each other.
    """
    rows = list(read_log(ledger.store, f"{kind}/{marker.id}/{marker.attempt}", SYSTEM))
    kept = [rows[round(place * (len(rows) - 1) / (POINTS - 1))] for place in range(POINTS)] if len(rows) > POINTS else rows
    return [
        Point(safe(f"{SYSTEM}/{key}"), float(value), (at := milliseconds(row["time"])), max(0, at - start))
        for row in kept
        for key, value in row.items()
        if key != "time" and is_number(value)
    ]
