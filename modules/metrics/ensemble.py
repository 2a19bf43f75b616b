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


def combined(scores: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted sum (n,) float64 of the networks' kernels; higher is more similar.

    Args:
        scores: for each network (n,) cosines of the same pairs in the same order.
        weights: one per network, 0 or more; None: 1 each, as in DeepFace.

    Raises:
        ValueError: there is no network, the numbers of pairs or of weights do not match, a weight is negative, or all are 0.
    """
    if not len(scores):
        raise ValueError("an ensemble needs the scores of one network at least")
    lengths = [len(one) for one in scores]
    if len(set(lengths)) > 1:
        raise ValueError(f"the networks scored {lengths} pairs; an ensemble needs the same pairs from each")
    shares = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(scores),):
        raise ValueError(f"{len(scores)} networks and {len(shares)} weights; each network has one")
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
        raise ValueError(f"weights are {shares.tolist()}; they must be 0 or more, and one of them above 0")
    return np.sum([share * distance_kernel(one) for share, one in zip(shares, scores, strict=True)], axis=0)
