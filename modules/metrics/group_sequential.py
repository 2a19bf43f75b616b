"""Intervals of differences that hold for all of them and at every look, however a study decides to go on or to stop.

A group-sequential design of all compared cells at once (Follmann, Proschan and Geller, Biometrics 50, 1994; without early looks
it is Tukey's test): at each look a nominal level, chosen so that the probability of any wrong rejection up to that look is
``LEVEL`` times (replicates / most replicates)^2, the spending function of Kim and DeMets (Biometrika 74, 1987) with rho = 2.
The interval at a look is the one at its nominal level: a repeated confidence interval (Jennison and Turnbull, J. R. Statist.
Soc. B 51, 1989), which is right whatever else decided to stop.

The tests are Welch's. Among more than two cells, each cell's variance is moderated (Smyth, Stat. Appl. Genet. Mol. Biol. 3,
2004, equation 3): it is averaged with the mean variance of all cells at the first look, which counts as ``PRIOR`` degrees of
freedom. Three replicates say little about one cell's scatter, so this shortens the intervals of the first looks; the later
ones depend on it little.

The levels are those of independent normal values with equal variances, by simulation: bits of a fixed seed, so that they are
the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from modules.metrics.intervals import TINY

LEVEL, RHO = 0.05, 2.0
PRIOR = 2.0  # degrees of freedom of the common variance; more would claim too much where cells scatter unequally
SEED = 20_251
WORK = 8_000_000  # tests simulated for one set of levels, at most
DRAWS = (5_000, 50_000)  # fewest and most simulated studies
LEAST = 20  # rejections of a level that is estimated; rarer ones are left to later looks
Contrast = tuple[int, int | None]  # two cells whose difference is judged, or one cell whose mean is


def common_variance(first_look: np.ndarray) -> np.ndarray | None:
    """The mean variance (...,) of all cells, without those whose values are all equal; None with two cells or fewer.

    Args:
        first_look: (..., cells, n), n >= 2 independent values of each cell.
    """
    if first_look.shape[-2] <= 2:
        return None
    variances = first_look.var(-1, ddof=1)
    varies = variances > TINY**2
    return np.asarray(np.where(varies, variances, 0).sum(-1) / np.maximum(varies.sum(-1), 1))


def welch(
    values: np.ndarray,
    first: Sequence[int] | np.ndarray,
    second: Sequence[int] | np.ndarray | None,
    common: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(difference of means, its standard error, Satterthwaite's degrees of freedom), each (..., contrasts).

    Args:
        values: (..., cells, n), n >= 2 independent values of each cell.
        first, second: (contrasts,) cells whose means are subtracted; ``second`` is None for the means themselves.
        common: (...,) the variance with which those of the cells are averaged; None leaves them as they are. Values that are
            all equal keep the variance 0.
    """
    count, free = values.shape[-1], values.shape[-1] - 1.0
    means, variances = values.mean(-1), values.var(-1, ddof=1)
    if common is not None:
        moderated = (PRIOR * common[..., None] + free * variances) / (PRIOR + free)
        variances, free = np.where(variances > TINY**2, moderated, 0.0), PRIOR + free
    variances = variances / count
    value, variance = means[..., first], variances[..., first]
    squares = variance**2
    if second is not None:
        more = variances[..., second]
        value, variance, squares = value - means[..., second], variance + more, squares + more**2
    degrees = free * np.divide(variance**2, squares, out=np.ones_like(variance), where=squares > 0)
    return value, variance**0.5, degrees


def p_value(value: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Two-sided p of "it is 0"; 1 where the error is 0, which carries no information."""
    from scipy.special import stdtr

    known = error > TINY
    ratio = np.divide(np.abs(value), error, out=np.zeros_like(error), where=known)
    return np.where(known, 2 * stdtr(degrees, -ratio), 1.0)


def half_width(error: float, degrees: float, level: float) -> float | None:
    """Of the interval at that nominal level; None where the level is 0, so no interval is finite, or the error is."""
    from scipy.special import stdtrit

    return float(-stdtrit(degrees, level / 2)) * error if level > 0 and error > TINY else None


@cache
def nominal_levels(cells: int, contrasts: Sequence[Contrast], looks: Sequence[int], level: float = LEVEL) -> tuple[float, ...]:
    """The nominal level of each look; 0 where nothing can be rejected yet.

    Args:
        contrasts: what is judged, as a tuple.
        looks: numbers of replicates, ascending, as a tuple; each at least 2.
        level: of any wrong rejection at any look.
    """
    draws = min(max(WORK // (len(contrasts) * len(looks)), DRAWS[0]), DRAWS[1])
    least = _least_p(cells, contrasts, looks, draws)
    open_ = np.ones(draws, bool)
    found = []
    for place, count in enumerate(looks):
        last = place == len(looks) - 1
        spent = draws - int(open_.sum())
        more = round(level * (count / looks[-1]) ** RHO * draws) - spent
        if more < LEAST and not last:
            found.append(0.0)
            continue
        bound = float(np.partition(least[open_, place], more)[more])
        found.append(bound)
        open_ &= least[:, place] >= bound
    return tuple(found)


def _least_p(cells: int, contrasts: Sequence[Contrast], looks: Sequence[int], draws: int) -> np.ndarray:
    """(draws, looks): the smallest p of any contrast, of simulated values without any difference."""
    first = np.array([one for one, _ in contrasts])
    second = None if contrasts[0][1] is None else np.array([other for _, other in contrasts])
    bits = np.random.PCG64(SEED)
    part = max(1, 500_000 // max(len(contrasts), cells * looks[-1]))
    found = []
    for start in range(0, draws, part):
        values = _normal(bits, (min(part, draws - start), cells, looks[-1]))
        common = None if second is None else common_variance(values[:, :, : looks[0]])
        least = [_least(*welch(values[:, :, :count], first, second, common)) for count in looks]
        found.append(np.stack(least, -1))
    return np.concatenate(found)


def _least(value: np.ndarray, error: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """The smallest p of each row. Which one it is, Wallace's normal approximation says (Ann. Math. Statist. 30, 1959), which
    takes a twentieth of the time of p."""
    score = degrees * np.log1p((value / error) ** 2 / degrees) * ((8 * degrees + 1) / (8 * degrees + 3)) ** 2
    place = score.argmax(-1)[:, None]
    return p_value(*(np.take_along_axis(part, place, -1)[:, 0] for part in (value, error, degrees)))


def _normal(bits: np.random.PCG64, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers by inversion: numpy promises the bits of a generator to stay, but not its normal numbers."""
    from scipy.special import ndtri

    raw = bits.random_raw(int(np.prod(shape)))
    return np.asarray(ndtri(((raw >> np.uint64(11)) + 0.5) / 2.0**53)).reshape(shape)
