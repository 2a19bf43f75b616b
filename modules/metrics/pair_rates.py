"""Error rates over pairs that share subjects, with their variance over subjects.

The variance is the cluster-robust one of dyadic data: residuals are summed per subject, and what pairs of the same two subjects
add, counted at both, is subtracted once (Aronow, Samii and Assenova: Cluster-robust variance estimation for dyadic data.
Political Analysis 23, 2015). The interval is the exact one with mid-P at the effective sample size (``intervals.effective``);
its width is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import effective, mid_p


@dataclass(frozen=True)
class PairRate:
    """The share of pairs that were decided wrongly.

    Attributes:
        errors, pairs, subjects: counts.
        variance: of the rate, over subjects.
    """

    errors: int
    pairs: int
    subjects: int
    variance: float

    @classmethod
    def of(cls, errors: np.ndarray, left: np.ndarray, right: np.ndarray) -> PairRate:
        """The rate of n pairs.

        Args:
            errors: (n,) bool.
            left, right: (n,) int or text, the subjects of each pair; equal for genuine pairs.
        """
        names, who = np.unique(np.concatenate([left, right]), return_inverse=True)
        pairs, subjects = len(errors), len(names)
        if pairs == 0:
            return cls(0, 0, 0, 0.0)
        residual = errors - errors.mean()
        one, other = who[:pairs], who[pairs:]
        twice = one != other  # impostor pairs count at both subjects
        sums = np.bincount(one, residual, subjects) + np.bincount(other[twice], residual[twice], subjects)
        share = (np.bincount(one, minlength=subjects) + np.bincount(other[twice], minlength=subjects)) / pairs
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = np.where(share < 1, sums / (1 - share), 0.0)  # as if the subject were left out: the jackknife
        own = float(residual @ residual)
        between = of_two(one[twice], other[twice], residual[twice])
        total = float(sums @ sums - between @ between)
        return cls(int(errors.sum()), pairs, subjects, max(total, own / 2) / pairs**2)

    @property
    def value(self) -> float:
        return self.errors / self.pairs if self.pairs else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %; that of one subject without errors is as wide as it can be."""
        if self.subjects < 2:
            return 0.0, 1.0
        low, high = effective(self.value, self.variance, self.subjects, self.pairs, mid_p)
        return float(low), float(high)


def of_two(left: np.ndarray, right: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The sums of ``values`` over the pairs of the same two subjects, in any order of the two; one for each two.

    Args:
        left, right: (n,) int, different in every row.
        values: (n,)
    """
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right)
    _, which = np.unique(low * (int(high.max(initial=0)) + 1) + high, return_inverse=True)
    return np.bincount(which, values)
