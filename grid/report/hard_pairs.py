"""Which pairs go wrong: the pairs that most cells of a protocol decide wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from dataclasses import fields as dataclass_fields
from typing import Any

import numpy as np

from grid.ledger.study import Study
from grid.report.curves import has_scores, score_table
from grid.report.text import records_csv
from grid.results.combinations import distinct, grouped
from grid.results.rows import Row, Table
from modules.metrics.roc import Curve

SHOWN = 10  # pairs of each kind in the page
LISTED = 100  # in hard_pairs.csv and report.json
MOST = 200_000  # pairs of a list; longer ones would delay the report by minutes
NOTE = (
    "Each cell decides at the threshold that is best on these very pairs. Of equally many wrong cells, the pair farther on the "
    "wrong side of the thresholds comes first, on average over the cells. A pair that all cells get wrong may be mislabeled. "
    "hard_pairs.csv has up to 100 pairs of each kind. The stage worst_pairs in a grid file shows the faces of each cell's own "
    "worst pairs."
)
BEFORE = ("protocol", "kind", "rank")
HEAD = ("Pair", "Wrong in", "Mean score", "Mean distance to the threshold")


@dataclass(frozen=True)
class HardPair:
    """A pair, how many of the cells that have it decide it wrongly, and their mean score and (score - threshold)."""

    left: str
    right: str
    wrong: int
    cells: int
    score: float
    distance: float


@dataclass(frozen=True)
class Board:
    """The pairs of one protocol.

    Attributes:
        genuine, impostor: the worst pairs of each kind, worst first; only such as any cell gets wrong.
        counts: number of pairs that all cells, some, and none decide wrongly.
        cells: number of cells with scores.
    """

    protocol: str
    genuine: tuple[HardPair, ...]
    impostor: tuple[HardPair, ...]
    counts: tuple[int, int, int]
    cells: int


def boards(study: Study, table: Table) -> list[Board]:
    """One per protocol with two cells or more whose lists are not too long. Replicates with equal scores count once."""
    found = []
    for protocol in table.compared:
        groups = grouped(row for row in table.rows if has_scores(row, protocol))
        rows = [row for group in groups for row in distinct(group, protocol)]
        if len(rows) > 1 and (board := _board(study, rows, protocol)):
            found.append(board)
    return found


def _board(study: Study, rows: Sequence[Row], protocol: str) -> Board | None:
    places: dict[tuple[str, str], int] = {}
    kinds: list[bool] = []
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # places, scores, distances to the threshold
    before: tuple[list[str], list[str]] | None = None
    index = np.zeros(0, int)
    for row in rows:
        columns = score_table(study, row, protocol, ["left", "right", "same", "score"])
        scores, same = columns["score"].to_numpy(), columns["same"].to_numpy()
        if len(scores) > MOST:
            return None
        keys = (columns["left"].to_pylist(), columns["right"].to_pylist())
        if keys != before:  # cells that dropped no pair share one list
            for key, kind in zip(zip(*keys, strict=True), same.tolist(), strict=True):
                if key not in places:
                    places[key] = len(places)
                    kinds.append(kind)
            index, before = np.array([places[key] for key in zip(*keys, strict=True)]), keys
        parts.append((index, scores, scores - Curve.of(scores, same).best()[1]))
    return _ranked(protocol, list(places), np.array(kinds), parts, len(rows))


def _ranked(
    protocol: str,
    pairs: list[tuple[str, str]],
    same: np.ndarray,
    parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    cells: int,
) -> Board:
    seen, wrong, score, distance = (np.zeros(len(pairs)) for _ in range(4))
    for index, scores, distances in parts:
        index, first = np.unique(index, return_index=True)  # a protocol may list a pair several times
        scores, distances = scores[first], distances[first]
        np.add.at(seen, index, 1)
        np.add.at(wrong, index, (distances >= 0) != same[index])
        np.add.at(score, index, scores)
        np.add.at(distance, index, distances)
    score, distance = score / seen, distance / seen
    outside = np.where(same, -distance, distance)  # above 0: on the wrong side

    def pair(n: int) -> HardPair:
        left, right = pairs[n]
        return HardPair(left, right, int(wrong[n]), int(seen[n]), float(score[n]), float(distance[n]))

    def worst(kind: bool) -> tuple[HardPair, ...]:
        chosen = np.flatnonzero((same == kind) & (wrong > 0))
        order = chosen[np.lexsort((chosen, -outside[chosen], -wrong[chosen] / seen[chosen]))][:LISTED]
        return tuple(pair(n) for n in order.tolist())

    all_, none = int((wrong == seen).sum()), int((wrong == 0).sum())
    return Board(protocol, worst(True), worst(False), (all_, len(pairs) - all_ - none, none), cells)


def hard_pair_records(found: Sequence[Board]) -> list[dict[str, Any]]:
    """A record per pair, by protocol and kind, worst first."""
    return [
        {"protocol": board.protocol, "kind": kind, "rank": rank, **asdict(pair)}
        for board in found
        for kind, pairs in (("genuine", board.genuine), ("impostor", board.impostor))
        for rank, pair in enumerate(pairs, 1)
    ]


def hard_pairs_csv(found: Sequence[Board]) -> str:
    """A line per record; scores at full precision."""
    return records_csv(hard_pair_records(found), [*BEFORE, *(one.name for one in dataclass_fields(HardPair))])


def fields(pair: HardPair) -> tuple[str, str, str, str]:
    """A row of the page's table, in the order of ``HEAD``."""
    return (
        f"{pair.left} and {pair.right}",
        f"{pair.wrong} of {pair.cells} cells",
        f"{pair.score:.3f}",
        f"{pair.distance:+.3f}".replace("-", "−"),
    )
