"""The exact ROC curve of a set of scored pairs, in integer counts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modules.metrics.validation import both_kinds, checked


def allowed(far: float, impostor: int) -> int:
    """Maximum number of accepted impostor pairs: the largest m with m / impostor <= far, divided in float64.

    Raises:
        ValueError: the FAR is below 0.
    """
    if not far >= 0:
        raise ValueError(f"a FAR of {far:g} cannot be asked for; it is a share, 0 at least")
    most = int(min(far, 1.0) * impostor)
    while most < impostor and (most + 1) / impostor <= far:
        most += 1
    while most / impostor > far:
        most -= 1
    return most


@dataclass(frozen=True, eq=False)
class Curve:
    """Accepted pairs at each distinct score, from accepting none to accepting all.

    Stores the sorted genuine and impostor scores. AUC, EER and VAL are computed from these; the points of the curve are
    computed on first use.

    Attributes:
        genuine_scores: float64 or float32 (genuine,), increasing.
        impostor_scores: the same for impostor pairs.
    """

    genuine_scores: np.ndarray
    impostor_scores: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, same: np.ndarray) -> Curve:
        """Builds the curve in O(n log n) by sorting the scores (not indices); float32 scores take half the time and memory.

        Raises:
            ValueError: see ``checked``.
        """
        scores, same = checked(scores, same)
        genuine, impostor = scores[same], scores[~same]
        genuine.sort()
        impostor.sort()
        return cls(genuine, impostor)

    @classmethod
    def of_sorted(cls, scores: np.ndarray, same: np.ndarray) -> Curve:
        """Builds the curve from scores sorted in decreasing order; raises as ``checked``, but does not check the scores."""
        both_kinds(same)
        return cls(scores[same][::-1], scores[~same][::-1])

    @property
    def genuine(self) -> int:
        return len(self.genuine_scores)

    @property
    def impostor(self) -> int:
        return len(self.impostor_scores)

    @property
    def pairs(self) -> int:
        return self.genuine + self.impostor

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Thresholds (k + 1,), decreasing; the first is infinity. In the scores' dtype, so that comparisons do not round."""
        levels = np.sort(np.concatenate([self.genuine_scores, self.impostor_scores]))
        levels += 0.0  # turns -0.0 into 0.0: the result must not depend on which of two equal zeros came first
        levels = levels[np.concatenate([[True], levels[1:] != levels[:-1]])]
        return np.concatenate([np.array([np.inf], levels.dtype), levels[::-1]])

    @cached_property
    def accepted(self) -> np.ndarray:
        """int64 (k + 1,), number of genuine pairs with score >= threshold."""
        return self._at_least(self.genuine_scores)

    @cached_property
    def false(self) -> np.ndarray:
        """int64 (k + 1,), number of impostor pairs with score >= threshold."""
        return self._at_least(self.impostor_scores)

    @property
    def far(self) -> np.ndarray:
        return self.false / self.impostor

    @property
    def tar(self) -> np.ndarray:
        return self.accepted / self.genuine

    def auc(self) -> float:
        """Mann-Whitney statistic, ties count one half; computed in integers up to the last division."""
        total = self.genuine * self.impostor
        # Search the rarer kind in the other: of 15.66 M pairs only about 20,000 may be genuine.
        if self.genuine <= self.impostor:
            return _wins(self.genuine_scores, self.impostor_scores) / (2 * total)
        return (2 * total - _wins(self.impostor_scores, self.genuine_scores)) / (2 * total)

    def eer(self) -> tuple[float, float]:
        """(rate, threshold): see ``verification.eer``. The threshold is the highest score with FAR >= FRR."""

        def gap(threshold: float) -> int:
            """(FAR - FRR) x genuine x impostor, an exact integer; it increases as the threshold decreases."""
            accepted, false = self._counts(threshold)
            return false * self.genuine + accepted * self.impostor - self.genuine * self.impostor

        found = -np.inf
        for scores in (self.genuine_scores, self.impostor_scores):
            reached = bisect_left(scores, True, key=lambda score: gap(score) < 0)
            found = max(found, scores[reached - 1]) if reached else found
        before = self._above(found)
        part = -gap(before) / (gap(found) - gap(before))
        low, high = self._counts(before)[1] / self.impostor, self._counts(found)[1] / self.impostor
        return low + part * (high - low), float(found) + 0.0

    def best(self) -> tuple[int, float]:
        """Returns (correct pairs, threshold) at the most accurate threshold.

        The threshold is the midpoint between the lowest accepted score and the next lower one (the lowest score if all pairs
        are accepted, just above the highest if none is). On ties the highest threshold is used, which accepts the fewest pairs.
        """
        correct = self.accepted - self.false
        index = int(np.argmax(correct))
        return int(correct[index]) + self.impostor, self.middle(index)

    def middle(self, index: int) -> float:
        """A finite threshold that accepts exactly the same pairs as point ``index``."""
        if index == 0:
            return float(np.nextafter(self.thresholds[1], np.inf))
        above = self.thresholds[index]
        if index == len(self.thresholds) - 1:
            return float(above)
        below = self.thresholds[index + 1]
        half = 0.5 * above + 0.5 * below
        return float(half if below < half <= above else above)

    def val(self, far: float) -> tuple[float, float, float]:
        """Returns (TAR, threshold, FAR) at the last point whose FAR is at most ``far``.

        Raises:
            ValueError: the FAR is below 0.
        """
        most = allowed(far, self.impostor)
        limit = self.impostor_scores[self.impostor - most - 1] if most < self.impostor else -np.inf  # highest score to reject
        threshold = self._above(limit)
        accepted, false = self._counts(threshold)
        if threshold == np.inf:
            threshold = np.nextafter(self.impostor_scores[-1], np.inf)
        return accepted / self.genuine, float(threshold) + 0.0, false / self.impostor

    def _counts(self, threshold: float) -> tuple[int, int]:
        """Numbers of genuine and impostor pairs with score >= threshold."""
        kinds = (self.genuine_scores, self.impostor_scores)
        # Cast to the scores' dtype: searchsorted would copy all float32 scores to compare them with a float64.
        accepted, false = (len(scores) - int(scores.searchsorted(scores.dtype.type(threshold))) for scores in kinds)
        return accepted, false

    def _above(self, limit: float) -> float:
        """The lowest score above the limit; infinity if there is none."""
        found = np.inf
        for scores in (self.genuine_scores, self.impostor_scores):
            place = int(scores.searchsorted(scores.dtype.type(limit), side="right"))
            found = min(found, scores[place]) if place < len(scores) else found
        return found

    def _at_least(self, scores: np.ndarray) -> np.ndarray:
        """Number of ``scores`` (increasing) at or above each threshold."""
        return len(scores) - np.searchsorted(scores, self.thresholds)


def _wins(scores: np.ndarray, others: np.ndarray) -> int:
    """Twice the number of combinations with a score above one of ``others``; ties count one half."""
    below, up_to = np.searchsorted(others, scores, side="left"), np.searchsorted(others, scores, side="right")
    return int(below.sum(dtype=np.int64)) + int(up_to.sum(dtype=np.int64))
