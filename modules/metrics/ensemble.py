"""Ensembles: combines the scores of several networks for the same pairs.

Taigman et al.: DeepFace. CVPR 2014, section 5.3: the networks' kernels are summed, K = sum of -||x - y||_2, each computed on
embeddings of unit length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distance_kernel(cosines: np.ndarray) -> np.ndarray:
    """-||x - y||_2 (n,) float64 of unit vectors from their (n,) cosines; cosines rounded above 1 are clipped to 1.

    Raises:
        ValueError: a value is not a cosine (reports the first).
    """
    cosines = np.asarray(cosines, np.float64)
    bad = np.flatnonzero(~(np.abs(cosines) <= 1 + 1e-5))
    if len(bad):
        raise ValueError(f"the score of row {bad[0]} is {cosines[bad[0]]}, which is no cosine; the kernel needs cosines")
    return -np.sqrt(np.maximum(2 - 2 * cosines, 0.0))


def combined(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Sum (n,) float64 of the networks' kernels; higher is more similar.

    Args:
        scores: for each network (n,) cosines of the same pairs in the same order.

    Raises:
        ValueError: there is no network, or the numbers of pairs do not match.
    """
    if not len(scores):
        raise ValueError("an ensemble needs the scores of one network at least")
    lengths = [len(one) for one in scores]
    if len(set(lengths)) > 1:
        raise ValueError(f"the networks scored {lengths} pairs; an ensemble needs the same pairs from each")
    return np.sum([distance_kernel(one) for one in scores], axis=0)
