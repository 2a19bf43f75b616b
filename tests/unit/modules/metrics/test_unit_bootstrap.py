"""Resamples of images and of subjects, counted."""

import numpy as np
import pytest
from scipy import sparse

from modules.metrics.unit_bootstrap import Draws, correlations, variance


def test_every_resample_draws_as_many_images_as_there_are() -> None:
    found = Draws(None, 20, 0).sums(np.ones((50, 1)))
    assert found.shape == (20, 1)
    assert (found == 50).all()


def test_a_subject_is_drawn_with_all_its_images() -> None:
    """Two subjects of one and three images: a resample has 2, 4 or 6 images, and never 3."""
    found = Draws(np.array([7, 9, 9, 9]), 400, 0).sums(np.ones((4, 1)))[:, 0]
    assert set(found) == {2.0, 4.0, 6.0}
    assert np.mean(found == 4) == pytest.approx(0.5, abs=0.1)


def test_the_variance_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(0).normal(size=200)
    means = Draws(None, 4000, 1).sums(values[:, None])[:, 0] / 200
    assert variance(means) == pytest.approx(values.var() / 200, rel=0.1)


def test_sparse_and_dense_contributions_give_the_same_sums() -> None:
    dense = np.random.default_rng(0).integers(0, 2, (30, 5))
    draws = Draws(np.arange(30) // 3, 50, 3)
    assert np.array_equal(draws.sums(dense), draws.sums(sparse.csr_matrix(dense)))


def test_one_block_and_many_draw_resamples_of_all_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.metrics.unit_bootstrap._AT_ONCE", 40)
    assert (Draws(None, 7, 0).sums(np.ones((30, 1))) == 30).all()


def test_statistics_without_variance_are_uncorrelated() -> None:
    x = np.random.default_rng(0).normal(size=100)
    values = np.stack([x, -x, np.ones(100), np.where(np.arange(100) == 3, np.nan, x)], axis=1)
    found = correlations(values)
    assert found[0, 1] == pytest.approx(-1)
    assert found[0, 3] == pytest.approx(1)
    assert found[2].tolist() == [0, 0, 1, 0]
    assert variance(np.array([1.0, np.nan])) == 0
