"""UMAP: a map of vectors in two dimensions that keeps neighbors together.

McInnes, Healy, Melville: UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction. 2018, arXiv:1802.03426,
Algorithms 1 to 5. It begins with the principal components where the paper uses a spectral embedding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.latent.projections import principal

MIN_DISTANCE, EPOCHS = 0.1, 500  # of points in the map; passes over the edges
NEGATIVES = 5  # repelled points per attracted pair
FARTHEST = 4.0  # of a step, per coordinate and unit of the learning rate
STEP = 64  # bisections


def umap(vectors: np.ndarray, neighbors: int = 15, seed: int = 0, epochs: int = EPOCHS) -> np.ndarray:
    """The map (N, 2) float64 of vectors (N, D).

    Distances between clusters and their sizes mean little. An epoch draws each edge in proportion to its weight, and moves its
    points and ``NEGATIVES`` random ones in batches in which a point rarely occurs twice.

    Args:
        neighbors: of each vector, itself included; at most N
        seed: of the order of the edges and of the repelled points

    Raises:
        ValueError: there are fewer than four vectors, or they have one dimension.
    """
    found, _ = principal(vectors)
    found = found * (10.0 / max(float(np.abs(found).max()), 1e-12))
    graph = fuzzy_graph(vectors, min(neighbors, len(vectors))).tocoo()
    often = graph.data / graph.data.max()
    a, b = curve(MIN_DISTANCE)
    rng = np.random.default_rng(seed)
    size = max(len(vectors) // 4, 1)
    for epoch in range(epochs):
        drawn = np.flatnonzero(np.floor((epoch + 1) * often) > np.floor(epoch * often))
        rate = 1.0 - epoch / epochs
        for edges in np.array_split(rng.permutation(drawn), max(len(drawn) // size, 1)):
            heads, tails = graph.row[edges], graph.col[edges]
            apart = found[heads] - found[tails]
            moved = _clipped(attraction((apart**2).sum(1), a, b)[:, None] * apart)
            others = rng.integers(0, len(found), (len(edges), NEGATIVES))
            apart = found[heads][:, None] - found[others]
            pushed = _clipped(repulsion((apart**2).sum(2), a, b)[..., None] * apart)
            pushed[others == heads[:, None]] = 0.0
            np.add.at(found, heads, rate * (moved + pushed.sum(1)))
            np.add.at(found, tails, -rate * moved)
    return found


def fuzzy_graph(vectors: np.ndarray, neighbors: int) -> Any:
    """The symmetric graph (N, N), a sparse matrix: how likely two vectors are connected (Algorithms 2 and 3).

    A vector is connected to one of its nearest neighbors at distance d with weight exp(-(d - rho) / sigma), rho being the
    distance of the nearest one and sigma such that the weights add up to log2(neighbors); both directions are joined by the
    probabilistic sum a + b - a b.

    Args:
        neighbors: of each vector, itself included
    """
    from scipy.sparse import csr_matrix
    from sklearn.neighbors import NearestNeighbors

    count = len(vectors)
    model = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(vectors)
    distances, places = model.kneighbors(vectors)
    distances, places = _without_itself(distances, places)
    beyond = np.maximum(distances - distances[:, :1], 0.0)
    weights = np.exp(-beyond / _widths(beyond, np.log2(neighbors))[:, None])
    rows = np.repeat(np.arange(count), weights.shape[1])
    one = csr_matrix((weights.ravel(), (rows, places.ravel())), (count, count))
    return one + one.T - one.multiply(one.T)


def _without_itself(distances: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The neighbors of each vector other than itself, which need not come first among equal vectors."""
    other = places != np.arange(len(places))[:, None]
    other[other.all(axis=1), -1] = False  # more equal vectors than neighbors: the last one is left out
    shape = (len(places), places.shape[1] - 1)
    return distances[other].reshape(shape), places[other].reshape(shape)


def _widths(beyond: np.ndarray, total: float) -> np.ndarray:
    """sigma (N,) with sum_j exp(-beyond_ij / sigma_i) = total, by bisection; bounded below, where many are equally near."""
    low, high = np.zeros(len(beyond)), np.full(len(beyond), np.inf)
    width = np.ones(len(beyond))
    least = 1e-3 * np.maximum(beyond.mean(axis=1), 1e-12)
    for _ in range(STEP):
        large = np.exp(-beyond / width[:, None]).sum(axis=1) > total
        high, low = np.where(large, width, high), np.where(large, low, width)
        width = np.where(np.isinf(high), 2 * width, (low + np.where(np.isinf(high), low, high)) / 2)
        width = np.maximum(width, least)
    return width


def curve(min_distance: float, spread: float = 1.0) -> tuple[float, float]:
    """a and b of 1 / (1 + a d^2b), fitted to 1 up to the smallest distance and exp(-(d - min_distance) / spread) beyond it."""
    from scipy.optimize import curve_fit

    d = np.linspace(0, 3 * spread, 300)
    wanted = np.where(d < min_distance, 1.0, np.exp(-(d - min_distance) / spread))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), d, wanted)
    return float(a), float(b)


def attraction(squares: np.ndarray, a: float, b: float) -> np.ndarray:
    """The gradient of log(1 / (1 + a d^2b)) with respect to y_i, over (y_i - y_j); from squared distances of any shape."""
    safe = np.where(squares > 0, squares, 1.0)
    return np.where(squares > 0, -2 * a * b * safe ** (b - 1) / (1 + a * safe**b), 0.0)


def repulsion(squares: np.ndarray, a: float, b: float) -> np.ndarray:
    """The gradient of log(1 - 1 / (1 + a d^2b)), likewise; 0.001 is added to the square of the denominator."""
    return 2 * b / ((1e-3 + squares) * (1 + a * squares**b))


def _clipped(steps: np.ndarray) -> np.ndarray:
    return np.clip(steps, -FARTHEST, FARTHEST)
