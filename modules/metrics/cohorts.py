"""Demographic differentials of verification: error rates of cohorts at one global threshold (ISO/IEC 19795-10:2024).

The false match rate of a cohort is that of the impostor pairs with both subjects in it, the false non-match rate that of its
genuine pairs. Pairs share subjects, which is in the variance of a rate (``pair_rates``).

The test compares every cohort with the rate of all cohorts together. Its variance is the one under equal rates: the binomial
variance at the common rate times the design effect (Kish, 1965) of the cohort, so that cohorts with few or no errors do not get
a variance near zero. P values and difference intervals hold simultaneously: the critical value is the quantile of the largest
of all cohorts' t statistics, simulated. The intervals use the observed rates' variances, so near 5 % they may disagree with p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import LEVEL, TINY, effective, wilson
from modules.metrics.pair_rates import PairRate

FEW = 5  # fewer errors or correct pairs give no design effect of a cohort's own
DRAWS = 10_000


@dataclass(frozen=True)
class CohortRate:
    """One error rate of one cohort.

    Attributes:
        cohort: its name.
        errors, pairs, subjects: counts.
        value: errors / pairs; NaN without pairs.
        low, high: 95 % interval of the rate by itself; its width is never 0.
        difference: from the rate of all cohorts together.
        difference_low, difference_high: simultaneous 95 % interval of the difference.
        p: p value of no difference, adjusted for the number of cohorts.
    """

    cohort: str
    errors: int
    pairs: int
    subjects: int
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p: float


def cohort_rates(
    errors: np.ndarray, left: np.ndarray, right: np.ndarray, cohorts: np.ndarray, names: Sequence[str], *, seed: int = 0
) -> list[CohortRate]:
    """The error rate of every cohort with at least two subjects, and its difference from the rate of all of them.

    Args:
        errors: (n,) bool, whether the pair was decided wrongly.
        left, right: (n,) int or text, the subjects of each pair; equal for genuine pairs.
        cohorts: (n,) int, index into ``names`` of the cohort of both images; -1: pair of no single cohort, left out.
        names: of the cohorts.
        seed: of the simulated critical value.

    Raises:
        ValueError: the arrays differ in length.
    """
    errors, left, right, cohorts = (np.asarray(one) for one in (errors, left, right, cohorts))
    if not len(errors) == len(left) == len(right) == len(cohorts):
        raise ValueError(f"{len(errors)} errors, {len(left)} left and {len(right)} right subjects, {len(cohorts)} cohorts")
    parts = [(name, PairRate.of(*(one[cohorts == index] for one in (errors, left, right)))) for index, name in enumerate(names)]
    kept = [(name, part) for name, part in parts if part.subjects > 1]
    if not kept:
        return []
    pairs = np.array([part.pairs for _, part in kept])
    values = np.array([part.errors for _, part in kept]) / pairs
    common = float(values @ pairs / pairs.sum())
    design = _design_effects([part for _, part in kept])
    null = design * common * (1 - common) / pairs
    contrast = np.eye(len(kept)) - pairs / pairs.sum()  # rate less common rate
    differences = contrast @ values
    error = np.sqrt((contrast**2 * null).sum(axis=1))
    freedom = np.array([part.subjects - 1 for _, part in kept])
    largest = _largest(null, contrast, freedom, seed)
    critical = float(np.quantile(largest, LEVEL)) if len(kept) > 1 else np.nan
    found = []
    for n, (name, part) in enumerate(kept):
        low, high = map(float, effective(values[n], part.variance, part.subjects, part.pairs))
        statistic = abs(differences[n]) / error[n] if error[n] > 0 else 0.0
        own = np.array([max(other.variance, null[m]) for m, (_, other) in enumerate(kept)])
        half = critical * float(np.sqrt(contrast[n] ** 2 @ own))
        if half <= TINY:  # no errors, or nothing else, in any cohort: as many subjects as one has cannot show a difference
            half = wilson(0, min(other.subjects for _, other in kept))[1]
        p = float((1 + (largest >= statistic).sum()) / (1 + len(largest))) if len(kept) > 1 else np.nan
        ends = (float(differences[n] - half), float(differences[n] + half))
        found.append(
            CohortRate(
                name, part.errors, part.pairs, part.subjects, float(values[n]), low, high, float(differences[n]), *ends, p
            )
        )
    return found


def _design_effects(parts: Sequence[PairRate]) -> np.ndarray:
    """Variance of each cohort's rate over the binomial variance of its pairs; the pooled one for cohorts with few errors."""
    pairs = np.array([part.pairs for part in parts])
    rates = np.array([part.errors for part in parts]) / pairs
    binomial = rates * (1 - rates) / pairs
    variance = np.array([part.variance for part in parts])
    enough = np.array([min(part.errors, part.pairs - part.errors) >= FEW for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        own = variance / binomial
    weights = np.array([part.errors for part in parts]) * enough
    pooled = float(np.sum(np.where(enough, own, 0) * weights) / weights.sum()) if enough.any() else 1.0
    return np.where(enough, own, max(pooled, 1.0))


def _largest(variance: np.ndarray, contrast: np.ndarray, freedom: np.ndarray, seed: int) -> np.ndarray:
    """(DRAWS,): the largest absolute t statistic of all contrasts, if all rates are equal and have these variances."""
    generator = np.random.default_rng([seed, len(variance)])
    rates = generator.standard_normal((DRAWS, len(variance))) * np.sqrt(variance)
    estimated = variance * generator.chisquare(freedom, (DRAWS, len(variance))) / freedom
    with np.errstate(invalid="ignore", divide="ignore"):
        statistics = np.abs(rates @ contrast.T) / np.sqrt(estimated @ (contrast**2).T)
    return np.nan_to_num(statistics).max(axis=1)
