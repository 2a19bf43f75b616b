"""What each single dimension of a vector says about an attribute: the share of its variance that the attribute explains.

For classes that is the correlation ratio eta^2 (Fisher, 1925), the variance between classes divided by the total variance; for
numbers the squared correlation. The null distribution is that of the largest share over all dimensions under permuted attribute
values, so that p-values are corrected for the number of dimensions (Westfall and Young, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.latent.attribute_labels import Attribute
from modules.metrics import cluster_bootstrap


@dataclass(frozen=True, eq=False)
class Shares:
    """Attributes:
    values: float64 (D,), explained share of the variance of each dimension; 0 for a constant dimension
    p: float64 (D,), corrected for the number of dimensions
    threshold: 95 % quantile of the largest share under permutation
    """

    values: np.ndarray
    p: np.ndarray
    threshold: float

    @property
    def carrying(self) -> np.ndarray:
        """The dimensions with p <= 0.05, largest share first."""
        order = np.argsort(-self.values, kind="stable")
        return order[self.p[order] <= 0.05]


def shares(vectors: np.ndarray, attribute: Attribute, subjects: np.ndarray, permutations: int, seed: int) -> Shares:
    """The explained share of each dimension of ``vectors`` (N, D); ``subjects`` (N,) are kept together when permuting."""
    centered = np.asarray(vectors, np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    found = _explained(centered, attribute)
    generator = np.random.default_rng(seed)
    largest = np.empty(permutations)
    for turn in range(permutations):
        largest[turn] = _explained(centered, attribute.permuted(subjects, generator)).max()
    p = (1 + (largest[:, None] >= found).sum(0)) / (1 + permutations)
    return Shares(found, p, float(np.quantile(largest, 0.95)) if permutations else float("nan"))


def share_interval(
    vectors: np.ndarray, attribute: Attribute, subjects: np.ndarray, dimension: int, resamples: int, seed: int
) -> dict[str, Any]:
    """``value``, ``low`` and ``high`` of one dimension's share, from resampling subjects. The share is biased upward."""
    x = np.asarray(vectors[:, dimension], np.float64)
    x = x - x.mean()
    ones = np.ones(len(x))
    if attribute.classes is None:
        y = attribute.values - attribute.values.mean()
        terms = np.stack([ones, x, x * x, y, y * y, x * y], axis=1)
        return cluster_bootstrap.interval(terms, subjects, _squared_correlation, resamples, seed)
    of_class = (attribute.values[:, None] == np.unique(attribute.values)).astype(np.float64)
    terms = np.concatenate([of_class, of_class * x[:, None], (x * x)[:, None]], axis=1)
    return cluster_bootstrap.interval(terms, subjects, _correlation_ratio, resamples, seed)


def _explained(centered: np.ndarray, attribute: Attribute) -> np.ndarray:
    """(D,) of vectors (N, D) with mean 0."""
    total = (centered**2).sum(0)
    if attribute.classes is None:
        values = attribute.values - attribute.values.mean()
        scale = float((values**2).sum())
        between = (values @ centered) ** 2 / scale if scale > 0 else np.zeros(centered.shape[1])
    else:
        classes, number = np.unique(attribute.values, return_inverse=True)
        sums = (number[:, None] == np.arange(len(classes))).astype(np.float64).T @ centered
        between = (sums**2 / np.bincount(number)[:, None]).sum(0)
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)


def _squared_correlation(sums: np.ndarray) -> np.ndarray:
    n, x, xx, y, yy, xy = sums.T
    spread = (xx - x * x / n) * (yy - y * y / n)
    return np.divide((xy - x * y / n) ** 2, spread, out=np.zeros_like(n), where=spread > 0)


def _correlation_ratio(sums: np.ndarray) -> np.ndarray:
    classes = (sums.shape[1] - 1) // 2
    counts, of_class, squares = sums[:, :classes], sums[:, classes:-1], sums[:, -1]
    mean_part = of_class.sum(1) ** 2 / counts.sum(1)
    between = np.divide(of_class**2, counts, out=np.zeros_like(of_class), where=counts > 0).sum(1) - mean_part
    total = squares - mean_part
    return np.divide(between, total, out=np.zeros_like(total), where=total > 0)
