"""The exact ROC curve of a set of scored pairs, in whole numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def checked(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 and labels as bool.

    Raises:
        ValueError: lengths differ, a score is no finite number (names the first row), or one kind of pair is absent.
    """
    scores, same = np.asarray(scores, np.float64), np.asarray(same).astype(bool)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise ValueError(f"scores have shape {scores.shape} and labels {same.shape}; both must be one list of the same length")
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ValueError(f"the score of row {bad[0]} is {scores[bad[0]]}, and of {len(bad)} rows no finite number")
    if not same.any() or same.all():
        raise ValueError(f"{int(same.sum())} of {len(same)} pairs are genuine; both genuine and impostor pairs are needed")
    return scores, same


@dataclass(frozen=True)
class Curve:
    """Pairs accepted at each distinct score, from accepting nothing to accepting all.

    Attributes:
        thresholds: float64 (k + 1,), falling; the first is infinity.
        accepted: int64 (k + 1,), genuine pairs with score >= threshold.
        false: int64 (k + 1,), impostor pairs with score >= threshold.
    """

    thresholds: np.ndarray
    accepted: np.ndarray
    false: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, same: np.ndarray) -> Curve:
        scores, same = checked(scores, same)
        order = np.argsort(-scores, kind="stable")
        return cls.of_sorted(scores[order], same[order])

    @classmethod
    def of_sorted(cls, scores: np.ndarray, same: np.ndarray) -> Curve:
        """Of scores that fall already; errors as ``checked``, but for the scores themselves."""
        if not same.any() or same.all():
            raise ValueError(f"{int(same.sum())} of {len(same)} pairs are genuine; both genuine and impostor pairs are needed")
        last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
        accepted = np.cumsum(same, dtype=np.int64)[last]
        return cls(
            np.concatenate([[np.inf], scores[last]]),
            np.concatenate([[0], accepted]),
            np.concatenate([[0], last + 1 - accepted]),
        )

    @property
    def genuine(self) -> int:
        return int(self.accepted[-1])

    @property
    def impostor(self) -> int:
        return int(self.false[-1])

    @property
    def pairs(self) -> int:
        return self.genuine + self.impostor

    @property
    def far(self) -> np.ndarray:
        return self.false / self.impostor

    @property
    def tar(self) -> np.ndarray:
        return self.accepted / self.genuine

    def auc(self) -> float:
        """Mann-Whitney's statistic, ties counted a half; whole numbers until the last division."""
        wins = (np.diff(self.false) * (self.accepted[1:] + self.accepted[:-1])).sum(dtype=np.int64)
        return int(wins) / (2 * self.genuine * self.impostor)

    def eer(self) -> tuple[float, float]:
        """(rate, threshold): see ``verification.eer``. The threshold is the highest score with FAR >= FRR."""
        gap = self.false * self.genuine + self.accepted * self.impostor - self.genuine * self.impostor  # FAR - FRR, exactly
        after = int(np.argmax(gap >= 0))
        before = after - 1
        part = -int(gap[before]) / (int(gap[after]) - int(gap[before]))
        rate = float(self.far[before] + part * (self.far[after] - self.far[before]))
        return rate, float(self.thresholds[after])

    def best(self) -> tuple[int, float]:
        """(correct pairs, threshold) of the most accurate threshold.

        The threshold is the midpoint between the lowest accepted score and the next one below (the lowest score itself where
        all are accepted, just above the highest where none is). Of equally accurate thresholds the highest counts, which
        accepts the fewest.
        """
        correct = self.accepted - self.false
        index = int(np.argmax(correct))
        return int(correct[index]) + self.impostor, self.middle(index)

    def middle(self, index: int) -> float:
        """A finite threshold that accepts exactly what point ``index`` accepts."""
        if index == 0:
            return float(np.nextafter(self.thresholds[1], np.inf))
        above = self.thresholds[index]
        if index == len(self.thresholds) - 1:
            return float(above)
        below = self.thresholds[index + 1]
        half = 0.5 * above + 0.5 * below
        return float(half if below < half <= above else above)

    def val(self, far: float) -> tuple[float, float, float]:
        """(TAR, threshold, FAR) at the last point whose FAR is at most ``far``."""
        index = int(np.searchsorted(self.far, far, side="right")) - 1
        threshold = self.thresholds[index] if index else np.nextafter(self.thresholds[1], np.inf)
        return float(self.tar[index]), float(threshold), float(self.far[index])
