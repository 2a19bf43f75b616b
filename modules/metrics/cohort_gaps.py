"""Differences of a metric between cohorts of images, with simultaneous 95 % intervals by the max-|t| bootstrap.

All estimates come from the same resamples, so a subject in several cohorts is accounted for. Of each contrast between two
estimates, the bootstrap gives |t| = |difference over a resample - difference| / its standard deviation over all resamples; the
critical value is the 95 % quantile of the largest |t| of all contrasts of a family, the 0.95 (R + 1)-th smallest of R (Westfall
and Young: Resampling-based multiple testing. Wiley, 1993; Romano and Wolf, Econometrica 73, 2005). There are two families: each
cohort against the rest, and all pairs of cohorts, which give the gap. The interval of the gap, the largest difference of a
pair, reaches from the largest lower to the largest upper bound of all pairs: it holds the true gap whenever all intervals of
pairs hold.

The standard error of an estimate is at least its standard deviation over resamples, widened for the number of units that it was
estimated from (n - 1 instead of n, t instead of z), and at least half the width of its own interval over z. So a cohort without
errors, whose resamples all agree, has no difference that is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from modules.metrics.intervals import LEVEL, TINY
from modules.metrics.unit_bootstrap import variance

Contrast = tuple["Resampled", "Resampled"]


@dataclass(frozen=True, eq=False)
class Resampled:
    """A metric of some images.

    Attributes:
        value: over all of them
        error: standard error, at least 0
        drawn: (R,), over the resamples; NaN where a resample gives none
    """

    value: float
    error: float
    drawn: np.ndarray

    @classmethod
    def of(cls, entry: Mapping[str, Any], drawn: np.ndarray, units: int) -> Resampled:
        """From an entry with ``value`` and perhaps ``low`` and ``high``; ``units``: number of resampled units, at least 2."""
        from scipy.special import ndtri, stdtrit

        level = (1 + LEVEL) / 2
        z = float(ndtri(level))
        spread = (variance(drawn) * units / (units - 1)) ** 0.5 * float(stdtrit(units - 1, level)) / z
        own = 0.0 if entry.get("low") is None else (entry["high"] - entry["low"]) / (2 * z)
        return cls(float(entry["value"]), max(spread, own), np.asarray(drawn, np.float64))


@dataclass(frozen=True)
class Difference:
    """``low`` and ``high`` hold simultaneously with those of the other contrasts; ``p`` is adjusted for their number."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Gap:
    """The metric of cohort ``highest`` less that of cohort ``lowest``, places in the list; ``p`` of no difference at all."""

    value: float
    low: float
    high: float
    p: float
    highest: int
    lowest: int


def differences(contrasts: Sequence[Contrast], *, share: bool, seed: int = 0) -> list[Difference]:
    """The first estimate of each contrast less the second one, with simultaneous intervals and adjusted p values.

    Args:
        contrasts: one or more, all from the same resamples
        share: the metric is in [0, 1], which bounds the intervals to [-1, 1]
        seed: of the normal draws that stand for contrasts without variance over the resamples
    """
    assert contrasts, "nothing to compare"
    largest, errors = _largest(contrasts, seed), np.array([_error(*one) for one in contrasts])
    critical = float(np.quantile(largest, LEVEL, method="weibull"))
    values = np.array([one.value - other.value for one, other in contrasts])
    found = []
    for value, error in zip(values.tolist(), errors.tolist(), strict=True):
        low, high = value - critical * error, value + critical * error
        statistic = abs(value) / error if error > 0 else np.inf if value else 0.0
        p = float((1 + (largest >= statistic).sum()) / (1 + len(largest)))
        found.append(Difference(value, max(low, -1.0) if share else low, min(high, 1.0) if share else high, p))
    return found


def gap(cohorts: Sequence[Resampled], *, share: bool, seed: int = 0) -> Gap:
    """The largest value less the smallest one, of two or more cohorts.

    Args:
        cohorts: from the same resamples
        share: the metric is in [0, 1]
        seed: see ``differences``
    """
    pairs = differences(list(combinations(cohorts, 2)), share=share, seed=seed)
    values = [one.value for one in cohorts]
    highest, lowest = int(np.argmax(values)), int(np.argmin(values))
    low = max(0.0, *(max(one.low, -one.high) for one in pairs))
    high = max(max(one.high, -one.low) for one in pairs)
    return Gap(values[highest] - values[lowest], low, high, min(one.p for one in pairs), highest, lowest)


def _error(one: Resampled, other: Resampled) -> float:
    """Standard error of the difference: that of both estimates with their correlation over the resamples."""
    both = np.isfinite(one.drawn) & np.isfinite(other.drawn)
    x, y = one.drawn[both], other.drawn[both]
    related = float(np.corrcoef(x, y)[0, 1]) if len(x) > 2 and x.std() > TINY and y.std() > TINY else 0.0
    square = one.error**2 + other.error**2 - 2 * related * one.error * other.error
    return max(square, variance(x - y)) ** 0.5


def _largest(contrasts: Sequence[Contrast], seed: int) -> np.ndarray:
    """(R,): the largest |t| of all contrasts over each resample."""
    statistics = []
    generator = np.random.default_rng([seed, len(contrasts)])
    for one, other in contrasts:
        drawn = one.drawn - other.drawn
        spread = variance(drawn) ** 0.5
        if spread > TINY:
            statistics.append(np.abs(drawn - (one.value - other.value)) / spread)
        else:
            statistics.append(np.abs(generator.standard_normal(len(drawn))))
    every = np.array(statistics)
    return np.where(np.isfinite(every), every, 0.0).max(axis=0)  # a resample may lack the images of a cohort
