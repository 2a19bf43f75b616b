"""Explanation scores split by decision: of true accepts, false rejects, true rejects and false accepts by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.ledger.study import Study
from grid.results.decisions import Decisions, decisions
from grid.results.explanation_scores import Scored, explained_images, lower_is_better
from grid.results.rows import Row
from grid.spec.stage_name import EXPLAIN, StageName
from modules.metrics.decision_outcomes import OUTCOMES
from modules.metrics.image_game import RANGES
from modules.metrics.resampling import mean_interval

RESAMPLES = 1000
Ends = Sequence[float]  # the smallest and the largest possible value
SHIPPED: Mapping[str, Mapping[str, Ends]] = {  # those of other metrics are in their results
    "pointing": dict.fromkeys(("pointing", "energy"), (0.0, 1.0)),
    "hiding_game": dict.fromkeys(("auc", "refit", "probability"), (0.0, 1.0)),
    "insertion": RANGES,
    "deletion": RANGES,
}


@dataclass(frozen=True)
class OutcomeScore:
    """One number of one map.

    Attributes:
        of: the kind of pairs, see ``Scored``
        method, map: the explainer's title, and its map
        score, number: the score's title, and the name of its number
        decided: the decisions on the explained pairs
        means: outcome -> ``value``, ``low``, ``high`` of the mean over such pairs, and ``pairs``, how many were scored; only
            outcomes with scored pairs
        lower_is_better: of the number, for this map
    """

    row: Row
    of: str
    method: str
    map: str
    score: str
    number: str
    decided: Decisions
    means: Mapping[str, Mapping[str, Any]]
    lower_is_better: bool

    @property
    def title(self) -> str:
        return f"{self.method} {self.map}".rstrip()


def score_outcomes(study: Study, scored: Sequence[Scored]) -> list[OutcomeScore]:
    """Every headline number of finished scores of pairs, if the pairs are decided by a threshold, see ``decisions``."""
    found: list[OutcomeScore] = []
    for one in scored:
        if one.state == "done" and one.of.startswith("pairs") and one.result and one.result.get("each"):
            label = StageName(EXPLAIN, one.method)
            if decided := decisions(study.ledger, one.row, label, explained_images(study, one)):
                found += split(one, decided)
    return found


def split(one: Scored, decided: Decisions) -> list[OutcomeScore]:
    """The headline numbers of a score of pairs by outcome; the value of a pair is the mean over its scored images."""
    assert one.result is not None
    each, found = one.result["each"], []
    ranges = SHIPPED.get(one.result.get("score", "")) or one.result.get("ranges", {})
    rows = np.asarray(each["rows"], np.int64)
    places, back = np.unique(rows if each["of"] == "pairs" else rows // 2, return_inverse=True)
    outcome = np.array(decided.outcomes)[places]
    for name, numbers in each["maps"].items():
        for key in one.result.get("headlines", ()):
            if key in numbers:
                values = np.bincount(back, np.asarray(numbers[key], np.float64)) / np.bincount(back)
                means = {kind: _mean(values[outcome == kind], ranges.get(key)) for kind in OUTCOMES if (outcome == kind).any()}
                lower = lower_is_better(one.result, key, name)
                found.append(OutcomeScore(one.row, one.of, one.method, name, one.score, key, decided, means, lower))
    return found


def _mean(values: np.ndarray, ends: Ends | None) -> dict[str, Any]:
    """The interval is over pairs, as in the table of all pairs."""
    share, most = (False, None) if ends is None else (tuple(ends) == (0, 1), max(map(abs, ends)))
    return {**mean_interval(values, np.zeros(len(values)), RESAMPLES, 0, share=share, most=most), "pairs": len(values)}
