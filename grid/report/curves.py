"""ROC and training curves as points for plotting, thinned to the visible resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.ledger.ledger import Damaged
from grid.ledger.study import Study
from grid.results.rows import Row
from grid.spec.stage_name import EVALUATE, TRAIN, StageName
from modules.metrics.roc import Curve

STEP = 1 / 300  # fraction of the plot's side: every omitted point is at most this far from a kept one


@dataclass(frozen=True)
class Roc:
    """One cell's curve. Both are (k, 2): x and y from 0 to 1, x ascending; y is the TAR.

    Attributes:
        linear: x is the FAR.
        log: x is 0 at a FAR of 10 ** -decades and 1 at a FAR of 1; lower FARs are drawn at 0.
    """

    row: Row
    linear: np.ndarray
    log: np.ndarray


@dataclass(frozen=True)
class Overlay:
    """The curves of one protocol in one plot."""

    protocol: str
    decades: float  # the log axis begins at 10 ** -decades: one false acceptance in the longest list
    curves: tuple[Roc, ...]


def overlay(study: Study, rows: Sequence[Row], protocol: str) -> Overlay:
    """The exact ROC curve of every evaluated cell, from its scores."""
    found = []
    for row in rows:
        if marker := row.markers.get(StageName(EVALUATE, protocol)):
            found.append((row, _curve(study.ledger.path(marker, "scores.parquet"))))
    impostors = max((curve.impostor for _, curve in found), default=1)
    decades = max(1.0, math.log10(impostors))
    drawn = tuple(
        Roc(row, thin(curve.far, curve.tar), thin(logarithmic(curve.far, decades), curve.tar)) for row, curve in found
    )
    return Overlay(protocol, decades, drawn)


def _curve(path: Any) -> Curve:
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(path, columns=["score", "same"])
    return Curve.of(columns["score"].to_numpy(), columns["same"].to_numpy())


def logarithmic(far: np.ndarray, decades: float) -> np.ndarray:
    """Maps FAR to a position from 0 (10 ** -decades and below) to 1."""
    place: np.ndarray = np.maximum(1 + np.log10(np.maximum(far, 10.0**-decades)) / decades, 0.0)
    return place


def thin(x: np.ndarray, y: np.ndarray, step: float = STEP) -> np.ndarray:
    """(k, 2): points of a curve ascending in x and y; keeps the first and last point in each ``step`` x ``step`` square.

    At most 4 / step + 2 points, regardless of the number of pairs.
    """
    square = np.floor(x / step) * 4 / step + np.floor(y / step)
    changes = np.flatnonzero(np.diff(square))
    kept = np.unique(np.concatenate([[0], changes, changes + 1, [len(x) - 1]]))
    return np.stack([x[kept], y[kept]], axis=1)


def history(study: Study, row: Row) -> list[dict[str, Any]]:
    """The epochs of a training so far: of the finished one, or of the newest attempt."""
    marker, id = row.markers.get(TRAIN), row.cell.stages.get(TRAIN)
    if marker:
        try:
            rows: list[dict[str, Any]] = study.ledger.json(marker, "history.json")
            return rows
        except Damaged:
            pass  # its events may still exist
    return study.ledger.events(TRAIN, id) if id else []
