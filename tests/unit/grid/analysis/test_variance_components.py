"""Variances between replicates, against mean squares, published results, the REML equations and statsmodels' mixed model."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.optimize import minimize

from grid.analysis.variance_components import seed_variance


def grid(cells, replicates, seed=0):
    rng = np.random.default_rng(seed)
    cell, replicate = (side.ravel() for side in np.meshgrid(range(cells), range(replicates), indexing="ij"))
    return cell, replicate, rng.normal(size=cells * replicates) + rng.normal(size=replicates)[replicate] * 1.5 + cell


def test_a_balanced_grid_has_the_components_of_its_mean_squares():
    cell, replicate, values = grid(6, 4)
    table = values.reshape(6, 4)
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    error = (rest**2).sum() / (5 * 3)
    between = 6 * ((table.mean(axis=0) - table.mean()) ** 2).sum() / 3
    found = seed_variance(cell, replicate, values)
    assert (found.error, found.degrees) == (pytest.approx(error, rel=1e-9), 15)
    assert found.residual == pytest.approx(error, rel=1e-9)
    assert found.replicate == pytest.approx((between - error) / 6, rel=1e-9)


ERGO_STOOL = """
12 15 12 10
10 14 13 12
 7 14 13  9
 7 11 10  9
 8 11  8  7
 9 11 11 10
 8 12 12 11
 7 11  8  7
 9 13 10  8
"""


def test_the_ergo_stool_data_have_the_components_that_are_published_for_lme4():
    """effort ~ type + (1 | subject): nine subjects (rows) on four stools; Pinheiro and Bates (2000), section 1.2."""
    table = np.loadtxt(ERGO_STOOL.strip().splitlines())
    subject, stool = (side.ravel() for side in np.indices(table.shape))
    found = seed_variance(stool, subject, table.ravel())
    assert (found.replicate**0.5, found.residual**0.5) == (pytest.approx(1.332465, abs=5e-7), pytest.approx(1.100295, abs=5e-7))


def test_an_unbalanced_grid_has_the_components_of_statsmodels():
    cell, replicate, values = grid(6, 4)
    kept = np.setdiff1d(np.arange(24), [1, 2, 9, 17, 20])
    found = seed_variance(cell[kept], replicate[kept], values[kept])
    data = pd.DataFrame({"cell": cell[kept], "replicate": replicate[kept], "value": values[kept]})
    known = smf.mixedlm("value ~ C(cell)", data, groups=data.replicate).fit(reml=True)
    assert found.replicate == pytest.approx(known.cov_re.iloc[0, 0], rel=1e-4)  # a minimizer's digits
    assert found.residual == pytest.approx(known.scale, rel=1e-4)
    fixed, random = np.eye(6)[cell[kept]], np.eye(4)[replicate[kept]]
    inverse = np.linalg.inv(found.replicate * random @ random.T + found.residual * np.eye(len(kept)))
    projection = inverse - inverse @ fixed @ np.linalg.inv(fixed.T @ inverse @ fixed) @ fixed.T @ inverse
    pulled = projection @ values[kept]
    # where the restricted likelihood is largest (Searle, Casella and McCulloch, Variance Components, section 6.6)
    assert pulled @ random @ random.T @ pulled == pytest.approx(np.trace(projection @ random @ random.T), rel=1e-8)
    assert pulled @ pulled == pytest.approx(np.trace(projection), rel=1e-8)
    least = smf.ols("value ~ C(cell) + C(replicate)", data).fit()
    assert (found.error, found.degrees) == (pytest.approx(least.mse_resid), least.df_resid)


def reml(cell, replicate, values):
    """(variance of replicates, residual) that maximize the restricted likelihood, written out."""
    fixed, blocks = np.eye(cell.max() + 1)[cell], np.eye(replicate.max() + 1)[replicate]

    def minus_twice(logs):
        covariance = np.exp(logs[0]) * blocks @ blocks.T + np.exp(logs[1]) * np.eye(len(values))
        inverse = np.linalg.inv(covariance)
        middle = fixed.T @ inverse @ fixed
        rest = values - fixed @ np.linalg.solve(middle, fixed.T @ inverse @ values)
        return np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(middle)[1] + rest @ inverse @ rest

    return np.exp(minimize(minus_twice, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}).x)


@pytest.mark.parametrize("shift", [1.5, 0.0])  # without a shift the estimate of the replicates' variance would be negative
def test_the_closed_form_maximizes_the_restricted_likelihood(shift):
    rng = np.random.default_rng(4)
    cell, replicate = (side.ravel() for side in np.meshgrid(range(5), range(3), indexing="ij"))
    values = rng.normal(size=15) + shift * np.array([-1.0, 0.0, 1.0])[replicate] + cell
    found, wanted = seed_variance(cell, replicate, values), reml(cell, replicate, values)
    assert (found.replicate == 0) == (shift == 0)
    assert (found.replicate, found.residual) == pytest.approx(tuple(wanted), rel=1e-4, abs=1e-6)


def test_the_unit_does_not_matter():
    cell, replicate, values = grid(4, 3)
    one, other = seed_variance(cell, replicate, values), seed_variance(cell, replicate, 1e-3 * values)
    assert other.residual == pytest.approx(1e-6 * one.residual, rel=1e-4)


def test_one_replicate_has_none():
    assert seed_variance([0, 1, 2], [0, 0, 0], np.array([1.0, 2, 3])) is None


def test_replicates_that_add_nothing_have_a_variance_of_zero():
    """Their means are equal, so the mean square between them is below that within."""
    cell, replicate, _ = grid(4, 3)
    values = np.array([1.0, -1, 0, -1, 0, 1, 0, 1, -1, 0, 0, 0]) + cell
    assert seed_variance(cell, replicate, values).replicate == pytest.approx(0, abs=1e-6)
