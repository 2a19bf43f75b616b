"""The four outcomes of a verification decision."""

from __future__ import annotations

import numpy as np

OUTCOMES = ("true accept", "false reject", "true reject", "false accept")


def outcomes(scores: np.ndarray, same: np.ndarray, threshold: float) -> np.ndarray:
    """int64 (n,): the outcome of each pair, as an index of ``OUTCOMES``; a score of at least the threshold is accepted.

    Args:
        scores: (n,) cosines
        same: bool (n,), whether the pair is genuine
    """
    accepted = scores >= threshold
    return np.where(same, np.where(accepted, 0, 1), np.where(accepted, 3, 2)).astype(np.int64)
