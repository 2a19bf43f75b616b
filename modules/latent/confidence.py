"""How the confidence in the true class changes between two versions of the same images (Debreczeni et al., Section IV)."""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.metrics import cluster_bootstrap


def change(
    before: np.ndarray, after: np.ndarray, labels: np.ndarray, subjects: np.ndarray, resamples: int, seed: int
) -> dict[str, Any]:
    """Each entry with its 95 % interval from resampling subjects.

    Args:
        before, after: float (N, K), class probabilities
        labels: int64 (N,), the true class
        subjects: (N,), equal values for the images of one subject

    Returns:
        ``rises``: share of images whose confidence in the true class is higher after; ``mean_rise`` and ``mean_fall``: mean
        change of those that rise and of those that fall, both positive; ``mean_change`` over all; ``flips``: share of images
        whose predicted class differs; ``accuracy_before`` and ``accuracy_after``. A mean over no image is None.
    """
    assert before.shape == after.shape, (before.shape, after.shape)
    rows = np.arange(len(labels))
    difference = (after[rows, labels] - before[rows, labels]).astype(np.float64)
    rises, falls = difference > 0, difference < 0
    first, second = before.argmax(1), after.argmax(1)

    def share(values: np.ndarray) -> dict[str, Any]:
        return cluster_bootstrap.mean(values.astype(np.float64), subjects, resamples, seed, share=True)

    def mean_of(chosen: np.ndarray, sign: int) -> dict[str, Any]:
        if not chosen.any():
            return dict(cluster_bootstrap.NO_IMAGE)
        terms = np.stack([sign * difference * chosen, chosen], axis=1)
        return cluster_bootstrap.interval(terms, subjects, cluster_bootstrap.ratio, resamples, seed, share=True)

    return {
        "rises": share(rises),
        "mean_rise": mean_of(rises, 1),
        "mean_fall": mean_of(falls, -1),
        "mean_change": cluster_bootstrap.mean(difference, subjects, resamples, seed),
        "flips": share(first != second),
        "accuracy_before": share(first == labels),
        "accuracy_after": share(second == labels),
    }
