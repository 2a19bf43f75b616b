"""95 % confidence intervals of verification metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modules.metrics.ranking import ranks
from modules.metrics.roc import Curve

LEVEL = 0.95
TINY = 1e-12  # smaller variances and widths are rounding errors


def wilson(correct: float, total: float) -> tuple[float, float]:
    """Interval of a proportion (Wilson, 1927), such as an accuracy over independent pairs. Arguments need not be integers."""
    from scipy.special import ndtri

    z = float(ndtri((1 + LEVEL) / 2))
    share = correct / total
    center = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    # With none or all correct, one bound is exactly 0 or 1; rounding would miss it.
    return (0.0 if correct == 0 else center - half), (1.0 if correct == total else center + half)


def normal_variance(low: Any, high: Any) -> Any:
    """The variance of a normally distributed estimate with this 95 % interval; numbers or arrays."""
    from scipy.special import ndtri

    return ((high - low) / (2 * float(ndtri((1 + LEVEL) / 2)))) ** 2


def effective(
    share: float,
    variance: float,
    units: int,
    most: int,
    interval: Callable[[float, float], tuple[float, float]] = wilson,
    freedom: float | None = None,
) -> tuple[float, float]:
    """Wilson's interval of a proportion with known variance, using the effective sample size.

    The effective sample size is share (1 - share) / variance, as in survey statistics, times (z / t)^2, since the variance is
    estimated: t has ``freedom`` degrees of freedom (Korn and Graubard: Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data. Survey Methodology 24, 1998; with Wilson's interval: Dean
    and Pagano, J. Survey Statistics and Methodology 3, 2015). A variance of 0 carries no information: no error was observed,
    or all scores are equal. Each unit then counts as one trial, which for no errors among n gives about the rule of three. So
    no interval has width 0.

    Args:
        share: the proportion, from 0 to 1.
        variance: of the proportion.
        units: number of independent sampled units, such as subjects; at least 2.
        most: upper limit of the effective sample size, such as the number of pairs.
        interval: of a proportion, from numbers of events and of trials.
        freedom: degrees of freedom of the variance; None: units - 1.
    """
    from scipy.special import ndtri, stdtrit

    spread = share * (1 - share)
    if variance <= TINY or spread <= TINY:
        return interval(share * units, units)
    level = (1 + LEVEL) / 2
    freedom = units - 1 if freedom is None else freedom
    trials = min(spread / variance * float(ndtri(level) / stdtrit(freedom, level)) ** 2, most)
    return interval(share * trials, trials)


def mid_p(events: float, trials: float) -> tuple[float, float]:
    """Interval of a proportion by the exact binomial test with mid-P (Lancaster, JASA 56, 1961; Berry and Armitage, The
    Statistician 44, 1995).

    Unlike Wilson's its lower bound is not too high for one or two events among many trials. Without events, the upper bound is
    1 - 0.05^(1 / trials), the rule of three. Arguments need not be integers: binomial tails are then incomplete beta functions.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc, betaincinv

    tail = 1 - LEVEL
    rest = trials - events

    def at_least(p: float) -> float:
        """P(X > events) + P(X = events) / 2."""
        more = betainc(events + 1, trials - events, p) if events < trials else 0.0
        return float(more + (betainc(events, trials - events + 1, p) if events > 0 else 1.0)) / 2

    # The exact interval (Clopper and Pearson, Biometrika 26, 1934) is wider; its bounds are quantiles of beta distributions.
    least = betaincinv(events, rest + 1, tail / 2) if events >= 1 else 0.0
    most = betaincinv(events + 1, rest, 1 - tail / 2) if rest >= 1 else 1.0
    low = brentq(lambda p: at_least(p) - tail / 2, least, events / trials, xtol=1e-14) if events > 0 else 0.0
    high = brentq(lambda p: 1 - at_least(p) - tail / 2, events / trials, most, xtol=1e-14) if events < trials else 1.0
    return float(low), float(high)


def never_empty(low: float, high: float, share: float, units: int) -> tuple[float, float]:
    """The interval, or that of ``effective`` if its width is 0."""
    return (low, high) if high - low > TINY else effective(share, 0.0, units, units)


def mean_or_none(
    low: float, high: float, value: float, units: int, *, share: bool, most: float | None
) -> tuple[float, float] | tuple[None, None]:
    """The interval of a mean over ``units``, or if its width is 0, what so many units can say.

    That is the interval of ``never_empty`` for a ``share``. Otherwise it is ``value`` plus or minus ``most`` times the upper
    bound of Wilson's interval for no event, within [-``most``, ``most``]: a part of the units as large as that bound may
    differ from the others, and each by ``most``. Without a largest value, ``most`` None, they say nothing of the mean: None.
    """
    if high - low > TINY:
        return low, high
    if share:
        return never_empty(low, high, value, units)
    if most is None:
        return None, None
    half = most * wilson(0, units)[1]
    return max(value - half, -most), min(value + half, most)


def student(values: Sequence[float], pairs: int) -> tuple[float, float, float, float]:
    """Returns (mean, standard error, low, high) of the folds' accuracies by Student's t; the interval is clipped to [0, 1].

    If all folds are equal, the interval is that of ``pairs`` independent pairs.
    """
    from scipy.special import stdtrit

    found = np.asarray(values, np.float64)
    mean, error = float(found.mean()), float(found.std(ddof=1) / len(found) ** 0.5)
    half = float(stdtrit(len(found) - 1, (1 + LEVEL) / 2)) * error
    low, high = never_empty(max(mean - half, 0.0), min(mean + half, 1.0), mean, pairs)
    return mean, error, low, high


def delong(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Interval of the AUC (DeLong et al., 1988), with midranks (Sun and Xu, 2014): O(n log n).

    Normal approximation, clipped to [0, 1]. If genuine and impostor scores do not overlap, the variance estimate is 0; the
    interval is then that of a proportion over the rarer kind of pairs.
    """
    from scipy.special import ndtri

    area, variance = delong_variance(scores, same)
    half = float(ndtri((1 + LEVEL) / 2)) * variance**0.5
    return never_empty(max(area - half, 0.0), min(area + half, 1.0), area, min(int(same.sum()), int((~same).sum())))


def delong_variance(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Returns (AUC, variance)."""
    v10, v01 = placements(scores, same)
    return float(v10.mean()), float(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))


def placements(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V10 (genuine,) and V01 (impostor,) of DeLong et al.: the share of the other kind on the right side of each score."""
    genuine, impostor = scores[same], scores[~same]
    together = ranks(np.concatenate([genuine, impostor]))
    v10 = (together[: len(genuine)] - ranks(genuine)) / len(impostor)
    v01 = 1 - (together[len(genuine) :] - ranks(impostor)) / len(genuine)
    return v10, v01


def bootstrap(
    curve: Curve, fars: Sequence[float], resamples: int, seed: int
) -> tuple[tuple[float, float], dict[float, tuple[float, float]]]:
    """Percentile intervals of the EER and of VAL at each FAR; genuine and impostor pairs are resampled separately.

    The scores are already sorted, so a resample is a count per distinct score, and its curve a cumulative sum. Pairs are
    drawn independently; if pairs share subjects, the true intervals are wider.
    """
    generator = np.random.default_rng(seed)
    genuine = np.repeat(np.arange(len(curve.thresholds) - 1), np.diff(curve.accepted))
    impostor = np.repeat(np.arange(len(curve.thresholds) - 1), np.diff(curve.false))
    rates: list[np.ndarray] = []
    vals: dict[float, list[np.ndarray]] = {far: [] for far in fars}
    block = max(1, min(resamples, 2_000_000 // curve.pairs))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        tar = _drawn(generator, genuine, rows, len(curve.thresholds) - 1) / curve.genuine
        far = _drawn(generator, impostor, rows, len(curve.thresholds) - 1) / curve.impostor
        rates.append(_eer(far, tar))
        for target in fars:
            index = (far <= target).sum(axis=1) - 1
            vals[target].append(tar[np.arange(rows), index])
    fewest = min(curve.genuine, curve.impostor)
    return never_empty(*percentiles(np.concatenate(rates)), curve.eer()[0], fewest), {
        target: never_empty(*percentiles(np.concatenate(found)), curve.val(target)[0], fewest) for target, found in vals.items()
    }


def _drawn(generator: np.random.Generator, groups: np.ndarray, rows: int, width: int) -> np.ndarray:
    """Counts (rows, width + 1) of how many of len(groups) draws with replacement fall into the first 0, 1, ... groups."""
    drawn = groups[generator.integers(0, len(groups), size=(rows, len(groups)))]
    drawn += np.arange(rows)[:, None] * width
    counts = np.bincount(drawn.ravel(), minlength=rows * width).reshape(rows, width)
    out = np.zeros((rows, width + 1), np.int64)
    np.cumsum(counts, axis=1, out=out[:, 1:])
    return out


def _eer(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """As ``Curve.eer``, for each row."""
    gap = far + tar - 1
    rows = np.arange(len(gap))
    after = np.argmax(gap >= 0, axis=1)
    before = after - 1
    part = -gap[rows, before] / (gap[rows, after] - gap[rows, before])
    return far[rows, before] + part * (far[rows, after] - far[rows, before])


def percentiles(drawn: np.ndarray) -> tuple[float, float]:
    """The percentile interval of a statistic from its values over resamples; NaN, where a resample gives none, is left out."""
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mean_of_shares(values: np.ndarray, lows: np.ndarray, highs: np.ndarray, correlations: np.ndarray) -> tuple[float, float]:
    """Interval of the mean of K proportions from their intervals (MOVER; Zou: Toward using confidence intervals to compare
    correlations. Psychological Methods 12, 2007, Eq. 10, for a mean; Zou and Donner, Statistics in Medicine 27, 2008).

    The distances from the values to their bounds take the place of the standard errors, each side by itself, so the interval
    has positive width where all proportions are 0 or 1 if theirs have.

    Args:
        values: (K,)
        lows, highs: (K,)
        correlations: (K, K) of the estimates, with ones on the diagonal
    """
    bounds = []
    for ends, sign in ((lows, -1.0), (highs, 1.0)):
        distances = np.asarray(ends, np.float64) - values
        square = float(distances @ correlations @ distances) / len(values) ** 2
        bounds.append(float(np.mean(values)) + sign * max(square, 0.0) ** 0.5)
    return max(bounds[0], 0.0), min(bounds[1], 1.0)
