"""Tries the usual preprocessing on a few images and says which choices look wrong.

Parts are tried one after the other: the faces, the size of the images, the range of the pixels, the order of the colors. A
choice is replaced if another one separates genuine from impostor pairs better beyond chance, see ``separation``; a stated one
stays, also while later parts are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.judge.preprocessing import PARTS, Preprocessing
from grid.judge.separation import Moments, resampled
from modules.metrics.roc import Curve

RESAMPLES = 1000
SURE = 0.01  # at most this share of resamples may say otherwise
MARGIN = 0.02  # a smaller relative difference of the distance does not matter, such as that of (x - 127.5) / 128
Scorer = Callable[[Preprocessing], np.ndarray]
"""Cosines (images, images) of the sampled images under a preprocessing."""


@dataclass(frozen=True)
class Tried:
    """What one choice of one part gives on all pairs of the sampled images.

    Attributes:
        accuracy: balanced, of the best threshold: the mean of the shares of genuine and of impostor pairs that are right
        auc: of these pairs
        distance, d_prime: see ``separation``
    """

    choice: str
    accuracy: float
    auc: float
    distance: float
    d_prime: float


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
        """Such as "order: BGR gives 99.1 % (distance 5.24), RGB 93.4 % (3.02); RGB looks wrong"."""
        best, *others = sorted(self.tried, key=lambda one: (one.choice != self.best, -one.distance))
        given = [f"{best.choice} gives {100 * best.accuracy:.1f} % (distance {best.distance:.2f})"]
        given += [f"{one.choice} {100 * one.accuracy:.1f} % ({one.distance:.2f})" for one in others]
        verdict = f"{self.before} looks wrong" if self.wrong else f"no other is clearly better than {self.before}"
        return f"{self.part}: {', '.join(given)}; {verdict}"


def survey(
    start: Preprocessing,
    subjects: np.ndarray,
    score: Scorer,
    known: Mapping[str, Sequence[Any]],
    parts: Sequence[str] = PARTS,
    stated: Collection[str] = (),
) -> tuple[Preprocessing, list[Finding]]:
    """The preprocessing with every clearly better choice taken that was not stated, and what was tried.

    Args:
        start: what is assumed or was stated
        subjects: int (images,), the number of each sampled image's subject
        score: embeds the sampled images
        known: the faces and sizes that can be tried
        parts: that are tried
        stated: those of them whose choice stays
    """
    weights = resampled(int(subjects.max()) + 1, RESAMPLES)
    found, best = [], start
    scores = score(best)
    for part in parts:
        tried = [(best, scores)] + [(one, score(one)) for one in best.others(part, known.get(part, ()))]
        statistics = [Moments.of(theirs, subjects).statistics(weights) for _, theirs in tried]
        numbers = tuple(
            _tried(one.choice(part), theirs, subjects, distance[0], d_prime[0])
            for (one, theirs), (distance, d_prime) in zip(tried, statistics, strict=True)
        )
        winner = max(range(len(tried)), key=lambda place: numbers[place].distance)
        if not _clearly(statistics[winner], statistics[0]):
            winner = 0
        found.append(Finding(part, numbers[0].choice, numbers[winner].choice, numbers))
        if part not in stated:
            best, scores = tried[winner]
    return best, found


def _clearly(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether ``one`` is better in both statistics, in the distance by more than ``MARGIN`` and in nearly all resamples.

    Args:
        one, other: (distance, d'), each of all subjects, then of the same resamples.
    """
    (distance, d_prime), (theirs, their_d_prime) = one, other
    if distance[0] <= (1 + MARGIN) * theirs[0] or d_prime[0] <= their_d_prime[0]:
        return False
    return bool(np.mean(distance[1:] - theirs[1:] > 0) >= 1 - SURE)


def _tried(choice: str, scores: np.ndarray, subjects: np.ndarray, distance: float, d_prime: float) -> Tried:
    pairs = np.triu_indices(len(subjects), 1)
    curve = Curve.of(scores[pairs], subjects[pairs[0]] == subjects[pairs[1]])
    balanced = float(np.max(curve.tar + 1 - curve.far)) / 2
    return Tried(choice, balanced, curve.auc(), float(distance), float(d_prime))
