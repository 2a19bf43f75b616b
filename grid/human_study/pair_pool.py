"""The scored pairs of one protocol of a trained cell: what the pairs of a human study are selected from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grid.ledger.ledger import Damaged
from grid.ledger.study import CellView, Study
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EVALUATE, TRAIN, StageName


@dataclass(frozen=True, eq=False)
class Pool:
    """Pairs with their scores; a pair that the protocol lists twice is here once.

    Attributes:
        keys: of the two images, for each of n pairs
        same: bool (n,)
        scores: float64 (n,), cosines
        threshold: the most accurate one of the protocol
        checkpoint: digest of the network
    """

    cell: CellView
    keys: Sequence[tuple[str, str]]
    same: np.ndarray
    scores: np.ndarray
    threshold: float
    checkpoint: str


def read_pool(study: Study, where: Mapping[str, Sequence[str]], protocol: str) -> Pool:
    """Reads the scores that the evaluation of a protocol left.

    Raises:
        BadInput: not exactly one cell, no such protocol with pairs, or its files are damaged.
    """
    import pyarrow.parquet as pq

    cell = study.only(where, "a human study takes")
    marker = cell.markers.get(StageName(EVALUATE, protocol))
    if marker is None or "scores.parquet" not in marker.outputs:
        done = [
            name.about
            for name in cell.names
            if name.kind == EVALUATE and name in cell.markers and "scores.parquet" in cell.markers[name].outputs
        ]  # evaluations of pairs leave their scores
        raise BadInput(
            f"--protocol {protocol!r}: {cell.title} has no finished evaluation of pairs of that name (there: "
            f"{', '.join(done) or 'none'}); launch the grid with such a protocol"
        )
    try:
        table = pq.read_table(study.ledger.path(marker, "scores.parquet"), columns=["left", "right", "same", "score"])
        threshold = float(study.ledger.json(marker, "metrics.json")["best_threshold"]["threshold"])
    except Damaged as error:
        raise BadInput(f"{error}; launch the grid, and it is computed again") from error
    left, right = table["left"].to_pylist(), table["right"].to_pylist()
    first = {frozenset(pair): row for row, pair in reversed(list(enumerate(zip(left, right, strict=True))))}
    rows = np.sort(np.array([row for pair, row in first.items() if len(pair) == 2], np.int64))
    return Pool(
        cell,
        [(left[row], right[row]) for row in rows],
        table["same"].to_numpy(zero_copy_only=False).astype(bool)[rows],
        table["score"].to_numpy().astype(np.float64)[rows],
        threshold,
        cell.markers[TRAIN].outputs["model.safetensors"]["sha256"],
    )
