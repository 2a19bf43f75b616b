"""Two-dimensional maps of vectors by scikit-learn: principal components and t-SNE (van der Maaten and Hinton, 2008)."""

from __future__ import annotations

import numpy as np


def principal(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The first two principal components (N, 2) of vectors (N, D), and the shares of the variance that they explain.

    The sign of a component is arbitrary; here the coordinate with the largest magnitude is positive.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _check(vectors)
    with threadpool_limits(1):
        model = PCA(2, svd_solver="full")
        found = model.fit_transform(np.asarray(vectors, np.float64))
    found = found * np.sign(found[np.abs(found).argmax(0), [0, 1]])
    first, second = model.explained_variance_ratio_.tolist()
    return found, (first, second)


def neighbors(vectors: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """t-SNE (N, 2) of vectors (N, D), initialized with the principal components.

    Distances between clusters and their sizes mean nothing. The perplexity is at most (N - 1) / 3.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    _check(vectors)
    at_most = min(perplexity, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # one thread: its sums have one order
        model = TSNE(2, perplexity=at_most, init="pca", random_state=seed, n_jobs=1)
        found: np.ndarray = model.fit_transform(np.asarray(vectors, np.float64))
    return found.astype(np.float64)


def _check(vectors: np.ndarray) -> None:
    if len(vectors) < 4 or vectors.shape[1] < 2:
        raise ValueError(f"a map needs four vectors of two dimensions at least, found {vectors.shape[0]} of {vectors.shape[1]}")
