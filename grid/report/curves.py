"""Scores and training histories of cells, and curves thinned to the visible resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grid.ledger.ledger import Damaged
from grid.ledger.study import Study
from grid.results.combinations import SCORES
from grid.results.rows import Row
from grid.spec.stage_name import EVALUATE, TRAIN, StageName

STEP = 1 / 300  # fraction of the plot's side: every omitted point is at most this far from a kept one


def has_scores(row: Row, protocol: str) -> bool:
    """Whether a cell has scores of single pairs under a protocol."""
    marker = row.markers.get(StageName(EVALUATE, protocol))
    return marker is not None and SCORES in marker.outputs


def pair_scores(study: Study, row: Row, protocol: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(scores (n,), whether the pairs are genuine (n,)) of a cell under a protocol; None if it has none."""
    if not has_scores(row, protocol):
        return None
    table = score_table(study, row, protocol, ["score", "same"])
    return table["score"].to_numpy(), table["same"].to_numpy()


def score_table(study: Study, row: Row, protocol: str, columns: Sequence[str]) -> Any:
    """These columns of the scores of a cell that has some under a protocol, as a table of pyarrow."""
    import pyarrow.parquet

    path = study.ledger.path(row.markers[StageName(EVALUATE, protocol)], SCORES)
    return pyarrow.parquet.read_table(path, columns=list(columns))


def thin(x: np.ndarray, y: np.ndarray, step: float = STEP) -> np.ndarray:
    """(k, 2): the points ``kept`` of a curve ascending in x and y."""
    index = kept(x, y, step)
    return np.stack([x[index], y[index]], axis=1)


def kept(x: np.ndarray, y: np.ndarray, step: float) -> np.ndarray:
    """(k,): ascending places of the first and last point of a monotone curve in each ``step`` x ``step`` square.

    At most 4 / step + 2 points, regardless of the number of pairs.
    """
    square = np.floor(x / step) * 4 / step + np.floor(y / step)
    changes = np.flatnonzero(np.diff(square))
    return np.unique(np.concatenate([[0], changes, changes + 1, [len(x) - 1]]))


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
