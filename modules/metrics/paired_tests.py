"""Tests of a difference between two networks on the same pairs. All p values are two-sided, but those of ``equivalence``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.metrics.intervals import LEVEL, TINY, wilson


@dataclass(frozen=True)
class Estimate:
    """A difference or an effect, with its 95 % interval and the p value of "it is 0"."""

    value: float
    low: float
    high: float
    p: float


def student(value: float, variance: float, degrees: float, units: int) -> Estimate:
    """Student's t from a variance with that many degrees of freedom.

    A variance of 0 carries no information: no unit distinguishes the two. The interval is then Wilson's for no event among
    ``units``, to both sides, and p is 1; no interval has width 0.
    """
    from scipy.special import stdtr, stdtrit  # without the checks of scipy.stats, which take most of the time

    if variance <= TINY**2:
        half = wilson(0, units)[1]
        return Estimate(value, value - half, value + half, 1.0)
    error = variance**0.5
    half = float(stdtrit(degrees, (1 + LEVEL) / 2)) * error
    return Estimate(value, value - half, value + half, float(2 * stdtr(degrees, -abs(value) / error)))


def equivalence(value: float, variance: float, degrees: float, margin: float) -> float:
    """p of TOST, two one-sided tests of "the difference is ``margin`` or more" (Schuirmann, J. Pharmacokin. Biopharm., 1987).

    Args:
        value: the difference.
        variance: of the difference.
        degrees: of freedom of the variance.
        margin: above 0, in the unit of the difference.

    Raises:
        ValueError: the margin is not above 0.
    """
    from scipy.special import stdtr

    if not margin > 0:
        raise ValueError(f"margin {margin:g}: a difference that does not matter is above 0, such as 0.01")
    if variance <= TINY**2:
        return 1.0  # no information, see ``student``
    error = variance**0.5
    return float(max(stdtr(degrees, -(value + margin) / error), stdtr(degrees, (value - margin) / error)))


def anova_type(
    values: np.ndarray, spread: np.ndarray, covariance: np.ndarray, degrees: float
) -> tuple[float, tuple[float, float], float]:
    """(F, degrees of freedom, p) of "all K effects are 0" by their sum of squares (Brunner, Dette and Munk, JASA 92, 1997).

    Its expectation is the trace of the covariance, which the errors of a covariance from resamples leave unbiased; Hotelling's
    T^2 needs the inverse, which they inflate more, the larger K is. For one effect, both are the square of Student's t. The
    numerator's degrees of freedom are those of Box.

    Args:
        values: (K,).
        spread: (K, K), the covariance that the effects have if all cells are independent and have variance 1.
        covariance: (K, K).
        degrees: of freedom of the covariance.
    """
    from scipy.special import fdtrc

    parts = np.linalg.solve(spread, covariance)
    total = float(np.trace(parts))
    if total <= TINY**2:
        return 0.0, (len(values), degrees), 1.0
    value = float(values @ np.linalg.solve(spread, values)) / total
    free = total**2 / float(np.trace(parts @ parts))
    return value, (free, degrees), float(fdtrc(free, degrees, value))


def delong(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> Estimate:
    """Difference of two correlated AUCs, ``one`` minus ``other`` (DeLong et al., Biometrics 44, 1988); independent pairs.

    Args:
        one, other: ``placements`` of two networks on the same pairs, or their means over several networks.
    """
    from scipy.special import ndtr, ndtri

    value = float(one[0].mean() - other[0].mean())
    variance = sum(float((a - b).var(ddof=1)) / len(a) for a, b in zip(one, other, strict=True))
    if variance <= TINY**2:
        return student(value, 0.0, 1, min(len(one[0]), len(one[1])))
    half = float(ndtri((1 + LEVEL) / 2)) * variance**0.5
    return Estimate(value, value - half, value + half, float(2 * ndtr(-abs(value) / variance**0.5)))


def mcnemar(correct: np.ndarray, others: np.ndarray) -> float:
    """p of McNemar's exact test that two networks decide equally many pairs correctly; independent pairs.

    Args:
        correct, others: bool (n,), whether each network decided the pair correctly.
    """
    from scipy.special import bdtr

    first, second = int((correct & ~others).sum()), int((~correct & others).sum())
    return min(2 * float(bdtr(min(first, second), first + second, 0.5)), 1.0)


def mcnemar_of_means(correct: np.ndarray, others: np.ndarray) -> float:
    """p of McNemar's test for means over several networks: each pair's difference has either sign with equal probability.

    The normal approximation; of two networks it is that of McNemar (Psychometrika 12, 1947), without continuity correction.

    Args:
        correct, others: (n,), the share of the networks that decided the pair correctly.
    """
    from scipy.special import ndtr

    gaps = correct - others
    spread = float(np.sqrt((gaps**2).sum()))
    return float(2 * ndtr(-abs(float(gaps.sum())) / spread)) if spread > 0 else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """The p values adjusted for the whole family (Holm, Scand. J. Statistics 6, 1979).

    Written out because ``multipletests`` of statsmodels collects garbage in each call, which takes most of a report's time.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(values) else steps
    return [float(one) for one in adjusted]
