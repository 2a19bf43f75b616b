"""Scores of the cells under one protocol, read once for all figures that show them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.analysis.records import cell_name
from grid.ledger.study import Study
from grid.report.curves import has_scores, pair_scores, thin
from grid.results.rows import Row, Table
from grid.spec.levels import other_levels

MOST = 16  # cells that a figure shows; the others are in the tables


@dataclass(frozen=True, eq=False)
class Scored:
    """One cell: its title without the replicate, and scores (n,) with their kinds (n,) bool."""

    title: str
    scores: np.ndarray
    same: np.ndarray


def scored(study: Study, table: Table, protocol: str) -> tuple[list[Scored], int]:
    """(the first cells with scores, number of cells that are not among them). Of replicates, the first is taken."""
    found: list[Scored] = []
    seen: set[str] = set()
    more = 0
    for row in table.rows:
        title = name_of(row)
        if title in seen or not has_scores(row, protocol):
            continue
        seen.add(title)
        if len(found) == MOST:
            more += 1
            continue
        scores = pair_scores(study, row, protocol)
        assert scores is not None
        found.append(Scored(title, *scores))
    return found, more


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points of a monotone line that can be distinguished in a figure, so that long lists make no large files."""
    spans = [float(np.ptp(one)) or 1.0 for one in (x, y)]
    kept = thin((x - x.min()) / spans[0], (y - y.min()) / spans[1])
    return kept[:, 0] * spans[0] + x.min(), kept[:, 1] * spans[1] + y.min()


def name_of(row: Row) -> str:
    """``resnet34, mtcnn``: the levels of a cell without the replicate."""
    return cell_name(other_levels(row.cell.levels))


def left_out(more: int) -> str:
    return f" {more} more cells are not shown." if more else ""
