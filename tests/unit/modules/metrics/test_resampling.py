import numpy as np
import pytest

from modules.metrics.intervals import wilson
from modules.metrics.resampling import mean_interval


def test_the_interval_is_that_of_means_drawn_one_by_one():
    values, strata = np.random.default_rng(1).normal(size=20), np.arange(20) % 3 == 0
    found = mean_interval(values, strata, 50, 7)
    generator = np.random.default_rng(7)
    draws = {}
    for kind in (False, True):
        group = values[strata == kind]
        draws[kind] = [[group[i] for i in row] for row in generator.integers(0, len(group), size=(50, len(group)))]
    means = [sum(draws[False][n] + draws[True][n]) / 20 for n in range(50)]
    assert found["value"] == pytest.approx(values.mean(), abs=1e-15)
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist(), abs=1e-12)


def test_it_has_the_width_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(size=400)
    found = mean_interval(values, np.zeros(400), 4000, 0)
    assert (found["high"] - found["low"]) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)


def test_each_stratum_is_drawn_by_itself():
    """Two strata of equal values each, but for one row: no draw changes the mean by more than that row does."""
    values, strata = np.repeat([0.0, 0.6], 50), np.repeat([0, 1], 50)
    values[0] = 0.01
    found = mean_interval(values, strata, 400, 0)
    assert found["value"] == pytest.approx(0.3001)
    assert 0.3 <= found["low"] < found["high"] < 0.3006


def test_rows_without_a_difference_are_no_proof_of_equality():
    found = mean_interval(np.zeros(50), np.zeros(50), 100, 0)
    assert found["value"] == 0
    assert found["high"] == -found["low"] == pytest.approx(wilson(0, 50)[1])
    assert mean_interval(np.full(50, 0.99), np.zeros(50), 100, 0)["high"] == 1


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_share_that_all_resamples_agree_on_has_the_interval_of_its_rows(value):
    found = mean_interval(np.full(30, value), np.zeros(30), 50, 0, share=True)
    low, high = wilson(30 * value, 30)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((value, low, high))
    assert high - low > 0.05


def test_a_share_whose_resamples_differ_has_its_percentiles():
    values = np.random.default_rng(0).random(30)
    assert mean_interval(values, np.zeros(30), 50, 0, share=True) == mean_interval(values, np.zeros(30), 50, 0)


def test_many_draws_are_made_in_parts(monkeypatch):
    values = np.arange(10.0)
    whole = mean_interval(values, np.zeros(10), 100, 3)
    monkeypatch.setattr("modules.metrics.resampling._AT_ONCE", 70)
    assert mean_interval(values, np.zeros(10), 100, 3) == whole


def test_nan_is_named():
    with pytest.raises(ValueError, match="row 1 is nan"):
        mean_interval(np.array([0.0, np.nan]), np.zeros(2), 10, 0)
