"""Error rates over pairs that share subjects, with their variance over subjects.

The variance is the cluster-robust one of dyadic data: residuals are summed per subject, and what pairs of the same two subjects
add, counted at both, is subtracted once (Aronow, Samii and Assenova: Cluster-robust variance estimation for dyadic data.
Political Analysis 23, 2015). The interval is the exact one with mid-P at the effective sample size (``intervals.effective``);
its width is never 0.

The effective sample size is as uncertain as the design effect, the variance over that of independent pairs. That is a ratio of
sums over subjects, so its degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946), 2 / CV^2, with the linearized
variance of a ratio: few where a few subjects make most errors, at most one less than there are subjects (for survey data:
Valliant and Rust, J. Official Statistics 26, 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import effective, mid_p

DENSE = 8  # integers up to so many times their number are counted instead of sorted


@dataclass(frozen=True)
class PairRate:
    """The share of pairs that were decided wrongly.

    Attributes:
        errors, pairs, subjects: counts.
        variance: of the rate, over subjects.
        freedom: degrees of freedom of the variance, at most ``subjects`` - 1.
    """

    errors: int
    pairs: int
    subjects: int
    variance: float
    freedom: float

    @classmethod
    def of(cls, errors: np.ndarray, left: np.ndarray, right: np.ndarray) -> PairRate:
        """The rate of n pairs.

        Args:
            errors: (n,) bool.
            left, right: (n,) int or text, the subjects of each pair; equal for genuine pairs.
        """
        who, subjects = numbered(np.concatenate([left, right]))
        pairs = len(errors)
        if pairs == 0:
            return cls(0, 0, 0, 0.0, 0.0)
        residual = errors - errors.mean()
        one, other = who[:pairs], who[pairs:]
        twice = one != other  # impostor pairs count at both subjects
        second = other[twice]

        def over(values: np.ndarray) -> np.ndarray:
            """(subjects,): sums over the pairs of each subject."""
            return np.bincount(one, values, subjects) + np.bincount(second, values[twice], subjects)

        sums, share = over(residual), over(np.full(pairs, 1 / pairs))
        with np.errstate(invalid="ignore", divide="ignore"):
            sums = np.where(share < 1, sums / (1 - share), 0.0)  # as if the subject were left out: the jackknife
        half = residual * np.where(twice, 0.5, 1.0)  # of two subjects, each has half
        between = np.zeros(pairs)
        if twice.any():
            which, _ = two_subjects(one[twice], second)
            between[twice] = half[twice] * np.bincount(which, residual[twice])[which]
        parts, own = sums**2 - over(between), over(half * residual)  # (subjects,): of the variance, and of independent pairs
        total, alone = float(parts.sum()), float(own.sum())
        noise = float(((parts - total / alone * own) ** 2).sum()) if alone > 0 else 0.0
        freedom = subjects - 1.0
        if total > alone / 2 and noise > 0:
            freedom = min(freedom, max(2 * total**2 / noise, 1.0))
        return cls(int(errors.sum()), pairs, subjects, max(total, alone / 2) / pairs**2, freedom)

    @property
    def value(self) -> float:
        return self.errors / self.pairs if self.pairs else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %; that of one subject without errors is as wide as it can be."""
        if self.subjects < 2:
            return 0.0, 1.0
        low, high = effective(self.value, self.variance, self.subjects, self.pairs, mid_p, self.freedom)
        return float(low), float(high)


def of_two(left: np.ndarray, right: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The sums of ``values`` over the pairs of the same two subjects, in any order of the two; one for each two.

    Args:
        left, right: (n,) int, different in every row.
        values: (n,)
    """
    return np.bincount(two_subjects(left, right)[0], values)


def two_subjects(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, int]:
    """A number for each two subjects, in any order of the two: (n,) from 0 to count - 1, and the count.

    Args:
        left, right: (n,) int, from 0.
    """
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right)
    return numbered(low * (int(high.max(initial=0)) + 1) + high)


def numbered(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """The place of each label among the different ones in increasing order, (n,) int, and how many there are; as ``np.unique``,
    but without sorting small integers.
    """
    if np.issubdtype(labels.dtype, np.integer) and len(labels) and labels.min() >= 0 and labels.max() < DENSE * len(labels):
        there = np.bincount(labels) > 0
        return (np.cumsum(there) - 1)[labels], int(there.sum())
    names, which = np.unique(labels, return_inverse=True)
    return which, len(names)
