"""Weighted sums of cells: their variance over subjects and seeds, against the definition."""

import numpy as np
import pytest

from grid.analysis.cell_contrasts import CellContrasts, satterthwaite
from modules.metrics.paired_bootstrap import PairedBootstrap
from modules.metrics.resampled_units import ResampledUnits


def drawn(values, units=30):
    return PairedBootstrap({"auc": values}, {}, ResampledUnits(units, units, units), "subject bootstrap")


def test_the_variance_is_that_of_items_plus_that_of_seeds():
    rng = np.random.default_rng(0)
    resamples, y = rng.normal(size=(500, 5)), np.array([0.9, 0.91, 0.89, 0.8, 0.82])
    cells = CellContrasts("auc", [[0, 1, 2], [3, 4]], y, drawn(resamples))
    variance, degrees = cells.moments(np.array([1.0, -1.0]))
    moved = (resamples[:, :3].mean(axis=1) - resamples[:, 3:].mean(axis=1)).var(ddof=1)
    items = 4 * moved * 30 / 28  # weights move half as much as the subjects, of which there are 30
    seeds = [y[:3].var(ddof=1) / 3, y[3:].var(ddof=1) / 2]
    assert variance == pytest.approx(items + sum(seeds))
    expected = variance**2 / (items**2 / 29 + seeds[0] ** 2 / 2 + seeds[1] ** 2 / 1)
    assert degrees == pytest.approx(expected)
    assert cells.estimate(np.array([1.0, -1.0])).value == pytest.approx(0.9 - 0.81)
    assert cells.estimate(np.array([1.0, 0.0]), 0.5).value == pytest.approx(0.4)


def test_cells_of_weight_0_do_not_count():
    y = np.array([0.9, 0.8, 0.1, 0.9])
    alone = CellContrasts("auc", [[0], [1]], y[:2], drawn(np.random.default_rng(1).normal(size=(50, 2))))
    assert alone.moments(np.array([1.0, 0.0]))[1] == pytest.approx(29)


def test_without_scored_pairs_one_replicate_says_nothing():
    cells = CellContrasts("auc", [[0, 1], [2]], np.array([0.9, 0.8, 0.7]), None)
    assert cells.estimate(np.array([1.0, -1.0])) is None
    assert cells.moments(np.array([1.0, 0.0])) == (pytest.approx(0.005 / 2), pytest.approx(1))


def test_satterthwaite_of_equal_parts_adds_their_degrees():
    assert satterthwaite([(1.0, 4), (1.0, 4)]) == (2.0, 8.0)
    assert satterthwaite([(0.0, 4)]) == (0.0, 1.0)
