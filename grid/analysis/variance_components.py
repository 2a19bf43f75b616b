"""How much numbers differ between replicates: a mixed model in which the replicate is a random effect."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_CELLS = 100  # of an unbalanced mixed model, which takes a minute beyond


@dataclass(frozen=True)
class SeedVariance:
    """Variances between replicates of one cell.

    Attributes:
        replicate: what a replicate adds to all cells alike (REML); None if it could not be estimated.
        residual: what it adds to each cell by itself (REML); None as above.
        error: the mean square within cells and replicates, the error of F tests.
        degrees: of freedom of ``error``.
    """

    replicate: float | None
    residual: float | None
    error: float
    degrees: int


def seed_variance(
    cells: Sequence[int], replicates: Sequence[int], values: np.ndarray, mixed: bool = True
) -> SeedVariance | None:
    """Fits value ~ cell + replicate, with a fixed effect of every cell.

    Where every cell has every replicate, REML has a closed form. Otherwise the mixed model is fitted for up to ``MOST_CELLS``
    cells, since each has a fixed effect.

    Args:
        cells: (n,), the number of each value's cell.
        replicates: (n,), its replicate.
        values: (n,) float.
        mixed: fit the mixed model; else only the error.

    Returns:
        None if no degree of freedom is left for the error: one replicate, or too few.
    """
    if (table := _balanced(cells, replicates, values)) is not None:
        return _of_balanced(table, mixed) if min(table.shape) > 1 else None
    fixed, blocks = indicators(cells), indicators(replicates)[:, 1:]
    whole = np.hstack([fixed, blocks])
    degrees = len(values) - int(np.linalg.matrix_rank(whole))
    if degrees < 1:
        return None
    from statsmodels.regression.linear_model import OLS
    from statsmodels.regression.mixed_linear_model import MixedLM

    least = OLS(values, whole).fit()
    error = float(least.ssr) / degrees
    scale = error**0.5
    if (
        not mixed
        or fixed.shape[1] > MOST_CELLS
        or not blocks.shape[1]
        or scale <= 1e-12 * max(1.0, float(np.abs(values).max()))
    ):
        return SeedVariance(None, None, error, degrees)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of 0 lies on the boundary, and statsmodels warns
        try:
            model = MixedLM(values / scale, fixed, groups=np.asarray(replicates))
            fit = model.fit(reml=True, method=["bfgs", "lbfgs", "cg"])
        except (np.linalg.LinAlgError, ValueError):
            return SeedVariance(None, None, error, degrees)
    if not fit.converged:
        return SeedVariance(None, None, error, degrees)
    ratio, residual = _refined(model, float(fit.cov_re[0, 0] / fit.scale))
    return SeedVariance(ratio * residual * error, residual * error, error, degrees)


def _refined(model: Any, ratio: float) -> tuple[float, float]:
    """The ratio of the two variances at which the score of the restricted likelihood is 0, and the residual variance there.

    A minimizer stops where the likelihood is flat, with 5 digits at most; the root of its slope has them all. ``ratio`` is its
    answer. It stands if the slope does not change its sign nearby, as at a variance of 0.
    """
    from scipy.optimize import brentq
    from statsmodels.regression.mixed_linear_model import MixedLMParams

    def slope(ratio: float) -> float:
        components = MixedLMParams.from_components(fe_params=np.zeros(model.k_fe), cov_re=np.array([[ratio]]))
        return float(model.score(components, profile_fe=True)[0])

    low, high = ratio / 2, ratio * 2
    if ratio > 0 and slope(low) > 0 > slope(high):
        ratio = float(brentq(slope, low, high, xtol=1e-14 * ratio, rtol=1e-14))
    cov, none = np.array([[ratio]]), np.zeros(0)
    fixed, _ = model.get_fe_params(cov, none)
    return ratio, float(model.get_scale(fixed, cov, none))


def _balanced(cells: Sequence[int], replicates: Sequence[int], values: np.ndarray) -> np.ndarray | None:
    """The values as (cells, replicates); None unless each cell has each replicate once."""
    (_, row), (_, column) = (np.unique(np.asarray(labels), return_inverse=True) for labels in (cells, replicates))
    table = np.full((int(row.max()) + 1, int(column.max()) + 1), np.nan)
    table[row, column] = values
    return table if table.size == len(values) and np.isfinite(table).all() else None


def _of_balanced(table: np.ndarray, mixed: bool) -> SeedVariance:
    """From the mean squares of two-way analysis of variance, which REML equals, but for a negative variance, which is 0 there
    (Searle, Casella and McCulloch: Variance Components, 1992, Section 4.7)."""
    count, blocks = table.shape
    mean, own = table.mean(), table.mean(axis=0)
    rest = table - table.mean(axis=1, keepdims=True) - own + mean
    degrees = (count - 1) * (blocks - 1)
    within, between = float((rest**2).sum()), count * float(((own - mean) ** 2).sum())
    error = within / degrees
    if not mixed or error**0.5 <= 1e-12 * max(1.0, float(np.abs(table).max())):
        return SeedVariance(None, None, error, degrees)
    square = between / (blocks - 1)
    if square > error:
        return SeedVariance((square - error) / count, error, error, degrees)
    return SeedVariance(0.0, (within + between) / (degrees + blocks - 1), error, degrees)


def indicators(labels: Sequence[int]) -> np.ndarray:
    """(n, number of labels) 0 or 1."""
    _, place = np.unique(np.asarray(labels), return_inverse=True)
    return np.eye(int(place.max()) + 1)[place]
