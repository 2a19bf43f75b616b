"""Which features show the background: those that an image of the background alone reproduces.

Debreczeni et al. (Section IV) compare the feature vector of each image with that of its background alone, element by element,
and keep the elements that are close in all images. Here an element is close if it differs by less than ``tau`` standard
deviations, and a feature is chosen if it is close in at least the share ``quantile`` of the images. A feature that hardly
varies is close for any two images, so a chosen feature must also be closer than with the background of another image: the null
distribution exchanges the backgrounds among the images, and the largest standardized share over all features gives p-values
that are corrected for the number of features (Westfall and Young, 1993).
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
    null_mean: mean number of features that are chosen when the backgrounds are exchanged
    """

    close: np.ndarray
    p: np.ndarray
    chosen: np.ndarray
    null_mean: float


def background_features(
    full: np.ndarray, alone: np.ndarray, *, tau: float, quantile: float, permutations: int, seed: int
) -> Selection:
    """Chooses features.

    Args:
        full, alone: float (N, D), features of N images and of their backgrounds alone
        tau: largest difference that is close, in standard deviations of the feature over ``full``
        quantile: least share of images in which a chosen feature is close
        permutations: size of the null distribution, at least 19 for p-values of 0.05

    Raises:
        ValueError: fewer than three images, which cannot be exchanged.
    """
    if len(full) < 3:
        raise ValueError(f"background features need three images at least, to exchange their backgrounds; found {len(full)}")
    spread = full.std(axis=0)
    varies = spread > 1e-12 * np.maximum(np.abs(full).max(axis=0), 1e-300)
    scale = np.where(varies, spread, 1.0)

    def share(order: np.ndarray) -> np.ndarray:
        return (np.abs(full - alone[order]) < tau * scale).mean(axis=0)

    generator = np.random.default_rng(seed)
    close = share(np.arange(len(full)))
    null = np.stack([share(generator.permutation(len(full))) for _ in range(permutations)])
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
