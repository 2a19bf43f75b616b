"""Tries the usual preprocessing on a few pairs and says which choices look wrong.

Parts are tried one after the other: the faces, the size of the images, the range of the pixels, the order of the colors. A
choice is replaced if another one separates genuine from impostor pairs better beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.judge.preprocessing import PARTS, Preprocessing
from modules.metrics.roc import Curve

RESAMPLES = 1000
SURE = 0.01  # the lower quantile of the difference that must be above 0
MARGIN = 0.02  # a smaller relative difference of d' does not matter, such as that of (x - 127.5) / 128
Scorer = Callable[[Preprocessing], np.ndarray]
"""Cosines (n,) of the sampled pairs under a preprocessing."""


@dataclass(frozen=True)
class Tried:
    """One choice of one part; ``accuracy`` is that of the best threshold on the sampled pairs, a fraction."""

    choice: str
    accuracy: float
    auc: float
    separation: float  # d': difference of the means of genuine and impostor scores, in pooled standard deviations


@dataclass(frozen=True)
class Finding:
    """What was tried for one part.

    Attributes:
        part: of ``PARTS``
        before: the choice before the trial
        best: the choice that is clearly better than ``before``; else ``before``
        tried: every choice, ``before`` first
    """

    part: str
    before: str
    best: str
    tried: tuple[Tried, ...]

    @property
    def wrong(self) -> bool:
        return self.best != self.before

    @property
    def words(self) -> str:
        """Such as "order: BGR gives 99.1, RGB 93.4: RGB looks wrong"."""
        order = sorted(self.tried, key=lambda one: (one.choice != self.best, -one.separation))
        first, *rest = [f"{one.choice} {'gives ' if not n else ''}{100 * one.accuracy:.1f}" for n, one in enumerate(order)]
        verdict = f"{self.before} looks wrong" if self.wrong else f"no other is clearly better than {self.before}"
        return f"{self.part}: {', '.join([first, *rest])} % accuracy; {verdict}"


def survey(
    start: Preprocessing, same: np.ndarray, score: Scorer, known: Mapping[str, Sequence[Any]], parts: Sequence[str] = PARTS
) -> tuple[Preprocessing, list[Finding]]:
    """The preprocessing with every clearly better choice taken, and what was tried.

    Args:
        start: what is assumed or was stated
        same: bool (n,) of the sampled pairs
        score: embeds the sampled images
        known: the faces and sizes that can be tried
        parts: that are tried
    """
    found, best = [], start
    scores = score(best)
    for part in parts:
        tried = [(best, scores)] + [(one, score(one)) for one in best.others(part, known.get(part, ()))]
        winner, winning = max(tried, key=lambda one: separation(one[1], same))
        numbers = tuple(_tried(one.choice(part), theirs, same) for one, theirs in tried)
        before = best.choice(part)
        if winner != best and _clearly(winning, scores, same):
            best, scores = winner, winning
        found.append(Finding(part, before, best.choice(part), numbers))
    return best, found


def separation(scores: np.ndarray, same: np.ndarray) -> float:
    """d' = (mean genuine - mean impostor) / sqrt((var genuine + var impostor) / 2), variances with n - 1."""
    genuine, impostor = scores[same], scores[~same]
    spread = np.sqrt((genuine.var(ddof=1) + impostor.var(ddof=1)) / 2)
    return float((genuine.mean() - impostor.mean()) / max(spread, 1e-12))


def _clearly(one: np.ndarray, other: np.ndarray, same: np.ndarray) -> bool:
    """Whether ``one`` separates better by more than ``MARGIN``, also in nearly all paired resamples."""
    if separation(one, same) < (1 + MARGIN) * separation(other, same):
        return False
    rng = np.random.default_rng(0)
    kinds = [np.flatnonzero(same), np.flatnonzero(~same)]
    differences = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([rng.choice(rows, len(rows)) for rows in kinds])
        differences.append(separation(one[drawn], same[drawn]) - separation(other[drawn], same[drawn]))
    return float(np.quantile(differences, SURE)) > 0


def _tried(choice: str, scores: np.ndarray, same: np.ndarray) -> Tried:
    curve = Curve.of(scores, same)
    return Tried(choice, curve.best()[0] / curve.pairs, curve.auc(), separation(scores, same))
