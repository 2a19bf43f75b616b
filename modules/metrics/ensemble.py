"""Ensembles: combines the scores of several networks for the same pairs.

Taigman et al.: DeepFace. CVPR 2014, section 5.3: the networks' power CPD kernels are summed, K = sum of -||x - y||_2, each
computed on embeddings of unit length. In the restricted setting, the paper uses them in an SVM; here it is a linear one on the
kernels' values, one per network, so it learns their weights and the threshold. In the unrestricted setting, it is
also fitted on pairs formed from the identities of the training folds' images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modules.metrics.linear_verifier import Loss
from modules.metrics.verifier import Verified, fitted_per_fold


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
    return np.sum(_kernels(scores), axis=0)


def fitted(
    scores: Sequence[np.ndarray],
    same: np.ndarray,
    folds: np.ndarray,
    *,
    loss: Loss = "svm",
    c: float = 1.0,
    formed: tuple[Sequence[np.ndarray], np.ndarray, np.ndarray] | None = None,
) -> Verified:
    """A verifier per fold on the networks' kernels, fitted on the given pairs of the other folds: the restricted setting.

    With ``formed``, on these pairs of the other folds too: the unrestricted setting.

    The objective is |w|^2 / 2 + c times the sum of losses, on kernels standardized over the pairs that are fitted; ``svm`` is
    the squared hinge loss (that of scikit-learn's ``LinearSVC``).

    Args:
        scores: for each network (n,) cosines of the same pairs in the same order.
        same: (n,) bool.
        folds: (n,) int; no subject is in two folds.
        loss: ``svm`` or ``logistic``.
        c: above 0; the larger, the closer the fit.
        formed: cosines (m,) of each network, labels (m,) and folds (m,) of pairs that were formed from identities.

    Raises:
        ValueError: the numbers of networks differ; see ``combined`` and ``verifier.fitted_per_fold``; ``c`` is not above 0.
    """
    if not c > 0:
        raise ValueError(f"c is {c}; the weight of the losses is a number above 0")
    more = None
    if formed is not None:
        if len(formed[0]) != len(scores):
            raise ValueError(f"{len(formed[0])} networks scored the formed pairs, and {len(scores)} the given ones")
        more = (np.stack(_kernels(formed[0]), axis=1), formed[1], formed[2])
    return fitted_per_fold(np.stack(_kernels(scores), axis=1), same, folds, loss=loss, penalty=1 / c, formed=more)


def _kernels(scores: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The kernel (n,) of each network; see ``combined`` for the errors."""
    if not len(scores):
        raise ValueError("an ensemble needs the scores of one network at least")
    lengths = [len(one) for one in scores]
    if len(set(lengths)) > 1:
        raise ValueError(f"the networks scored {lengths} pairs; an ensemble needs the same pairs from each")
    return [distance_kernel(one) for one in scores]
