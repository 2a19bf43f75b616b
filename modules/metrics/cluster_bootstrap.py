"""95 % bootstrap intervals of statistics over images, from resampling subjects with all their images.

Images of one subject are not independent, so subjects are drawn, with replacement (Field and Welsh, Bootstrapping clustered
data, J. Royal Statistical Society B 69, 2007). A statistic is a function of sums over images, so that a resample costs one
matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modules.metrics.intervals import TINY, mean_or_none, never_empty, percentiles

NO_IMAGE = {"value": None, "reason": "no image"}
Statistic = Callable[[np.ndarray], np.ndarray]
"""Sums (R, M) over the images of R resamples to R values; NaN where a resample does not define it."""


def interval(
    terms: np.ndarray, subjects: np.ndarray, statistic: Statistic, resamples: int, seed: int, *, share: bool = False
) -> dict[str, Any]:
    """``value``, ``low`` and ``high`` by the percentile bootstrap.

    Both bounds are None if fewer than two subjects are known, or if all resamples agree: then they say nothing. With
    ``share`` the statistic is in [0, 1], and the interval is then that of as many independent trials as there are subjects.

    Args:
        terms: float (N, M), the terms of the sums, one row per image
        subjects: (N,), equal values for the images of one subject
        statistic: of the sums
        resamples: number of resamples
        seed: of the resampling
    """
    terms = np.asarray(terms, np.float64)
    assert terms.ndim == 2, terms.shape
    assert np.shape(subjects) == (len(terms),), (np.shape(subjects), terms.shape)
    value, low, high, units = _resampled(terms, subjects, statistic, resamples, seed)
    if units > 1 and share:
        low, high = never_empty(low, high, value, units)
    return {"value": value, "low": low, "high": high} if high - low > TINY else {"value": value, "low": None, "high": None}


def _resampled(
    terms: np.ndarray, subjects: np.ndarray, statistic: Statistic, resamples: int, seed: int
) -> tuple[float, float, float, int]:
    """(value, low, high, number of subjects); NaN for the bounds with one subject."""
    assert len(terms) > 0, "nothing to draw from"
    value = float(statistic(terms.sum(0)[None])[0])
    _, number = np.unique(subjects, return_inverse=True)
    count = int(number.max()) + 1
    if count < 2:
        return value, np.nan, np.nan, count
    sums = np.zeros((count, terms.shape[1]))
    np.add.at(sums, number, terms)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    return value, *percentiles(statistic(drawn @ sums)), count


def mean(
    values: np.ndarray, subjects: np.ndarray, resamples: int, seed: int, *, share: bool = False, most: float | None = 1.0
) -> dict[str, Any]:
    """The interval of the mean over images.

    With ``share`` the values are in [0, 1], and if all resamples agree, the interval is that of as many independent trials as
    there are subjects. Otherwise they are in [-``most``, ``most``], and it is then that of as many without a difference. With
    ``most`` None they have no bounds, and it is None then. The mean over no image is None, with that as the ``reason``.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return dict(NO_IMAGE)
    terms = np.stack([values, np.ones(len(values))], axis=1)
    value, low, high, units = _resampled(terms, subjects, ratio, resamples, seed)
    if units < 2:
        return {"value": value, "low": None, "high": None}
    ends = mean_or_none(low, high, value, units, share=share, most=most)
    return {"value": value, "low": ends[0], "high": ends[1]}


def ratio(sums: np.ndarray) -> np.ndarray:
    """The first sum divided by the second one; NaN where that is 0."""
    return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] != 0)
