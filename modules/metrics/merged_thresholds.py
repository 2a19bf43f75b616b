"""Error rates of one network under many weightings of its pairs, at the thresholds that matter.

Between two scores of impostor pairs, genuine pairs come one after another: the ROC curve rises straight there, and runs level
between two scores of genuine pairs. Whatever the weights, points inside such a run change neither the area, nor where the curve
meets a line, nor the best accuracy, nor TAR at FAR <= target. So the pairs of a run are added up first. A good network has few
runs: a list that is separated at all thresholds has two.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from modules.metrics.subject_bootstrap import crossings

ROWS = 32  # that are added up together


class MergedThresholds:
    """The runs of one network.

    Args:
        scores: (n,), higher is more similar.
        same: bool (n,).
    """

    def __init__(self, scores: np.ndarray, same: np.ndarray) -> None:
        from scipy.sparse import csr_array

        order = np.argsort(-scores, kind="stable")
        ranked, genuine = scores[order], same[order]
        starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))  # of distinct scores
        counts = np.diff(np.append(starts, len(scores)))
        share = np.add.reduceat(genuine.astype(np.int64), starts)
        kind = np.where(share == counts, 1, np.where(share == 0, 0, 2))  # 2: both kinds have this very score
        new = np.append(True, (kind[1:] != kind[:-1]) | (kind[1:] == 2))
        run = np.repeat(np.cumsum(new), counts)  # of each pair, from 1; row 0 accepts nothing
        rows = int(run[-1]) + 1
        shape, ones = (rows + -rows % ROWS, len(scores)), np.ones(len(scores))  # further rows are empty runs
        self.sums = [csr_array((ones[one], (run[one], order[one])), shape=shape) for one in (genuine, ~genuine)]

    def metrics(self, weights: np.ndarray, fars: Sequence[float]) -> dict[str, np.ndarray]:
        """Each metric of ``subject_bootstrap`` but ``ten_fold`` as (rows,) float64; NaN if undefined.

        Args:
            weights: float64 (n, rows), whole numbers from 0.
            fars: FAR targets of ``val``.
        """
        accepted, steps = (one @ weights for one in self.sums)  # (runs, rows)
        false = _accumulate(steps.copy())
        _accumulate(accepted)
        genuine, impostor = accepted[-1], false[-1]
        wins = np.einsum("kr,kr->r", steps[1:], accepted[1:]) + np.einsum("kr,kr->r", steps[1:], accepted[:-1])
        best = np.subtract(accepted, false, out=steps).max(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            area, accuracy = wins / 2 / genuine / impostor, (best + impostor) / (genuine + impostor)
        return {"best_threshold": accuracy, "auc": area} | crossings(accepted.T, false.T, fars)


def _accumulate(values: np.ndarray) -> np.ndarray:
    """``np.cumsum(values, axis=0)`` in place, whose inner loop would go down the columns and be four times as slow."""
    parts = values.reshape(-1, ROWS, values.shape[1])
    for row in range(1, ROWS):
        parts[:, row] += parts[:, row - 1]
    for before, part in itertools.pairwise(parts):
        part += before[-1]
    return values
