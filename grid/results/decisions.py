"""How the network decided the pairs that an explanation shows, at the threshold of its own evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.ledger.reader import LedgerReader
from grid.results.rows import Row
from grid.spec.stage_name import EVALUATE, EXPLAIN, StageName
from modules.metrics.decision_outcomes import OUTCOMES, outcomes

VIEWS = ("flip_test", "multi_crop")  # of an evaluation whose cosines are not those of the explained images alone


@dataclass(frozen=True)
class Decisions:
    """Attributes:
    protocol: whose best threshold it is
    threshold: a pair is accepted from this cosine
    outcomes: of each pair, one of ``OUTCOMES``
    """

    protocol: str
    threshold: float
    outcomes: tuple[str, ...]


def decisions(ledger: LedgerReader, row: Row, explanation: StageName, images: Sequence[Mapping[str, Any]]) -> Decisions | None:
    """The decisions on the pairs of an explanation.

    Args:
        images: those of its manifest, left and right alternating

    Returns:
        None if it explains no pairs, or no finished evaluation of the same pairs has a threshold for single embeddings: they
        are not evaluated, or only with mirrored or cropped images added.
    """
    found = _threshold(ledger, row, explanation)
    if found is None or not images or "cosine" not in images[0]:
        return None
    cosines = np.array([image["cosine"] for image in images[0::2]], np.float64)
    same = np.array([image["same"] for image in images[0::2]], bool)
    return Decisions(*found, tuple(OUTCOMES[number] for number in outcomes(cosines, same, found[1])))


def _threshold(ledger: LedgerReader, row: Row, explanation: StageName) -> tuple[str, float] | None:
    explained = ledger.identity(EXPLAIN, row.cell.stages[explanation])
    if "pairs" not in explained:
        return None
    for name in row.cell.names:
        best = row.metrics.get(name.about, {}).get("best_threshold") if name.kind == EVALUATE else None
        if not best or "threshold" not in best:
            continue
        evaluated = ledger.identity(EVALUATE, row.cell.stages[name])
        same = all(evaluated.get(key) == explained[key] for key in ("pairs", "images", "train"))
        if same and not any(evaluated.get(view) for view in VIEWS):
            return name.about, float(best["threshold"])
    return None
