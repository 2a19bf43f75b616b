"""Scores of several networks for the same pairs, taken together."""

from __future__ import annotations

import numpy as np


def combine(cosines: np.ndarray) -> np.ndarray:
    """Minus the sum of Euclidean distances between unit embeddings (Taigman et al., DeepFace, CVPR 2014, Section 4.2).

    Args:
        cosines: (networks, n), each network's cosine of each pair.

    Returns:
        (n,) float64, higher is more similar; at most 0.
    """
    squares = np.maximum(2 - 2 * np.asarray(cosines, np.float64), 0)  # rounding may leave a cosine above 1
    combined: np.ndarray = -np.sqrt(squares).sum(axis=0)
    return combined
