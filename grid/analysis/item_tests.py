"""Classical tests of two cells on the same test items: DeLong's and McNemar's, a second opinion on the paired bootstrap.

They take the networks as they are. A cell with several replicates counts by the mean over them, so the tests are about other
test items and say nothing about other seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from grid.analysis.observations import Items
from modules.metrics.auc_jackknife import AUCJackknife
from modules.metrics.intervals import placements
from modules.metrics.paired_bootstrap import held_out_decisions
from modules.metrics.paired_tests import delong, mcnemar, mcnemar_of_means
from modules.metrics.roc import Curve

DELONG_SUBJECTS, DELONG_PAIRS = "DeLong, subjects", "DeLong, independent pairs"
MCNEMAR, MCNEMAR_MEANS = "McNemar, independent pairs", "McNemar, independent pairs, means over replicates"


@dataclass(frozen=True)
class Check:
    """A second test of a difference: its name, its p, and that p after Holm's correction over the compared pairs of cells."""

    test: str
    p: float
    adjusted: float = 1.0


def item_tests(metric: str, groups: Sequence[Sequence[int]], scored: Items) -> Callable[[int, int], Check | None]:
    """The classical test of any two cells under a metric: DeLong's for ``auc``, McNemar's for accuracies; None for others.

    Args:
        groups: the observations of each cell.
        scored: their scores.
    """
    scores, same, subjects = scored.scores, scored.same, scored.subjects

    @cache
    def jackknife(cell: int) -> AUCJackknife | None:
        found = [subjects and AUCJackknife.of(scores[one], same, subjects) for one in groups[cell]]
        known = [one for one in found if one]
        return AUCJackknife.mean(known) if len(known) == len(found) else None

    @cache
    def placed(cell: int) -> tuple[np.ndarray, np.ndarray]:
        wins, losses = zip(*(placements(scores[one], same) for one in groups[cell]), strict=True)
        return np.mean(wins, axis=0), np.mean(losses, axis=0)

    @cache
    def decided(cell: int) -> np.ndarray:
        return np.mean([decisions(metric, scores[one], same, scored.folds) for one in groups[cell]], axis=0)  # type: ignore[no-any-return]

    def areas(one: int, other: int) -> Check:
        first, second = jackknife(one), jackknife(other)
        if first and second:
            return Check(DELONG_SUBJECTS, first.minus(second).p)
        return Check(DELONG_PAIRS, delong(placed(one), placed(other)).p)

    def accuracies(one: int, other: int) -> Check:
        if len(groups[one]) == len(groups[other]) == 1:
            return Check(MCNEMAR, mcnemar(decided(one) > 0, decided(other) > 0))
        return Check(MCNEMAR_MEANS, mcnemar_of_means(decided(one), decided(other)))

    if metric == "auc":
        return areas
    return accuracies if metric in ("ten_fold", "best_threshold") else lambda one, other: None


def decisions(metric: str, scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """bool (n,): whether each pair is decided correctly, at the thresholds of the accuracy ``metric``."""
    if metric == "ten_fold":
        return held_out_decisions(scores, same, folds)
    return (scores >= Curve.of(scores, same).best()[1]) == same  # type: ignore[no-any-return]
