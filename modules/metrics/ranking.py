"""Ranks, and the rank correlation (Spearman, 1904) of one list of numbers with one or many others."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks (n,) float64 from 1; equal values share the mean of their ranks. Equal to scipy.stats.rankdata, and faster."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[group.ravel()]


def spearman(one: np.ndarray, other: np.ndarray) -> float | None:
    """Rank correlation of two lists of n numbers; None if all numbers of one list are equal."""
    a, b = (ranks(values.ravel()) - (values.size + 1) / 2 for values in (one, other))
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / length, -1, 1)) if length > 0 else None


class Binary:
    """Computes rank correlations of binary columns, bool (n, p), with many lists of scores.

    The ranks of a binary column are an affine function of its values, and correlation is invariant to affine functions. So only
    the scores are ranked. With k ones among n, the centered ranks r of the scores give
    sum of r over the ones / (|r| sqrt(k (n - k) / n)).
    """

    def __init__(self, columns: np.ndarray) -> None:
        count = len(columns)
        # Twice a rank is an integer, and sums of up to n of them stay below n ** 2, so float32 represents them exactly.
        self.values = columns.astype(np.float32 if count**2 < 2**24 else np.float64)
        ones = (np.ones(count, self.values.dtype) @ self.values).astype(np.float64)
        self.lengths = np.sqrt(ones * (count - ones) / count)

    def spearman(self, scores: np.ndarray) -> np.ndarray:
        """Correlation (p,) float64 of ``scores`` (n,) with each column; 0 if the column or the scores are constant."""
        doubled = 2 * ranks(scores) - (len(scores) + 1)
        sums = (doubled.astype(self.values.dtype) @ self.values).astype(np.float64)
        length = np.sqrt(doubled @ doubled) * self.lengths
        return np.divide(sums, length, out=np.zeros(len(sums)), where=length > 0)
