"""Which features show the background: those that an image of the background alone reproduces.

Debreczeni et al. (Section IV) compare the feature vector of each image with that of its background alone, element by element,
and keep the elements that are close in all images. Here an element is close if it differs by less than ``tau`` standard
deviations, and a feature is chosen if it is close in at least the share ``quantile`` of the images. A feature that hardly
varies is close for any two images, so a chosen feature must also be closer than with the backgrounds of other subjects. For the
null distribution, subjects exchange their backgrounds, each all of its own, since images of one subject resemble each other.
The largest standardized share over all features gives p-values that are corrected for the number of features (Westfall and
Young, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Selection:
    """Attributes:
    close: float64 (D,), share of the images in which a feature is close
    p: float64 (D,), corrected for the number of features; 1 for a constant feature
    chosen: bool (D,)
    null_mean: mean number of features that are chosen when subjects exchange their backgrounds
    """

    close: np.ndarray
    p: np.ndarray
    chosen: np.ndarray
    null_mean: float


def background_features(
    full: np.ndarray, alone: np.ndarray, subjects: np.ndarray, *, tau: float, quantile: float, permutations: int, seed: int
) -> Selection:
    """Chooses features.

    Args:
        full, alone: float (N, D), features of N images and of their backgrounds alone
        subjects: (N,), whose images these are
        tau: largest difference that is close, in standard deviations of the feature over ``full``
        quantile: least share of images in which a chosen feature is close
        permutations: size of the null distribution, at least 19 for p-values of 0.05

    Raises:
        ValueError: fewer than three subjects, which cannot be exchanged.
    """
    names, numbers = np.unique(subjects, return_inverse=True)
    if len(names) < 3:
        raise ValueError(f"background features need three subjects at least, to exchange their backgrounds; found {len(names)}")
    spread = full.std(axis=0)
    varies = spread > 1e-12 * np.maximum(np.abs(full).max(axis=0), 1e-300)
    scale = np.where(varies, spread, 1.0)

    def share(order: np.ndarray) -> np.ndarray:
        return (np.abs(full - alone[order]) < tau * scale).mean(axis=0)

    def exchanged() -> np.ndarray:
        order = np.empty(len(full), np.int64)
        for rows, other in zip(theirs, generator.permutation(len(names)), strict=True):
            order[rows] = np.resize(generator.permutation(theirs[other]), len(rows))
        return order

    generator = np.random.default_rng(seed)
    theirs = [np.flatnonzero(numbers == number) for number in range(len(names))]
    close = share(np.arange(len(full)))
    null = np.stack([share(exchanged()) for _ in range(permutations)])
    center, width = null.mean(axis=0), np.maximum(null.std(axis=0), 1 / len(full))
    largest = np.where(varies, (null - center) / width, -np.inf).max(axis=1)
    p = np.where(varies, _p(largest, (close - center) / width), 1.0)
    others = [
        int(((one >= quantile) & (_p(np.delete(largest, number), (one - center) / width) <= LEVEL) & varies).sum())
        for number, one in enumerate(null)
    ]
    return Selection(close, p, (close >= quantile) & (p <= LEVEL), float(np.mean(others)))


def _p(largest: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (1 + (largest[:, None] >= scores).sum(axis=0)) / (1 + len(largest))
