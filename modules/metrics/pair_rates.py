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

from collections.abc import Sequence
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
        parts, own = over_subjects(errors - errors.mean(), who[:pairs], who[pairs:], subjects)
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


def over_subjects(
    influence: np.ndarray, left: np.ndarray, right: np.ndarray, subjects: int, kinds: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """What each subject adds to the variance of a sum of influences, and to that of independent pairs; (subjects,) each.

    The first is that of the jackknife: a subject's influences are taken as if it were left out.

    Args:
        influence: (n,), of each pair; it sums to 0 over the pairs of each kind.
        left, right: (n,) int from 0 to ``subjects`` - 1, the subjects of each pair; equal for genuine pairs.
        subjects: their number.
        kinds: (n,) bool each, the pairs that are averaged together; empty: all are.
    """
    twice = left != right  # impostor pairs count at both subjects
    mixed = bool(twice.any())
    rows: slice | np.ndarray = slice(None) if twice.all() else np.flatnonzero(twice)
    second = right[rows]

    def over(values: np.ndarray | None) -> np.ndarray:
        """(subjects,): sums over the pairs of each subject; of ones for None."""
        found = np.bincount(left, values, subjects)
        return found + np.bincount(second, None if values is None else values[rows], subjects) if mixed else found

    sums = np.zeros(subjects)
    for kind in kinds or (None,):
        share = over(None) / len(left) if kind is None else over(kind / kind.sum())
        own = over(influence if kind is None else influence * kind)
        sums += np.where(share < 1, own / np.where(share < 1, 1 - share, 1.0), 0.0)
    if not mixed:
        return sums**2, over(influence * influence)
    half = influence * np.where(twice, 0.5, 1.0)  # of two subjects, each has half
    between = np.zeros(len(influence))
    which, _ = two_subjects(left[rows], second)
    between[rows] = half[rows] * np.bincount(which, influence[rows])[which]
    return sums**2 - over(between), over(half * influence)


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


def connected(left: np.ndarray, right: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """How many groups ``count`` members form whose pairs link them, and the group of each, int (count,).

    Args:
        left, right: (n,) int from 0 to ``count`` - 1, the members of each pair.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    links = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return connected_components(links, directed=False)  # type: ignore[no-any-return]


def numbered(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """The place of each label among the different ones in increasing order, (n,) int, and how many there are; as ``np.unique``,
    but without sorting small integers.
    """
    if np.issubdtype(labels.dtype, np.integer) and len(labels) and labels.min() >= 0 and labels.max() < DENSE * len(labels):
        there = np.flatnonzero(np.bincount(labels))
        place = np.empty(int(there[-1]) + 1, np.int64)
        place[there] = np.arange(len(there))
        return place[labels], len(there)
    names, which = np.unique(labels, return_inverse=True)
    return which, len(names)
