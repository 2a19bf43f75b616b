"""Errors of numbers against two lines of numpy."""

import numpy as np
import pytest

from modules.metrics.absolute_error import absolute_error
from modules.metrics.intervals import wilson
from modules.metrics.unit_bootstrap import Draws


def drawn() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 90, 300).astype(float)
    return truth, truth + generator.normal(0, 6, 300)


def test_mae_and_cumulative_score_are_two_lines() -> None:
    truth, predicted = drawn()
    found = absolute_error(truth, predicted, 5)
    errors = [abs(a - b) for a, b in zip(truth, predicted, strict=True)]
    assert found["mae"]["value"] == pytest.approx(sum(errors) / 300)
    assert found["cumulative_score"]["value"] == pytest.approx(sum(error <= 5 for error in errors) / 300)
    hits = sum(error <= 5 for error in errors)
    assert (found["cumulative_score"]["low"], found["cumulative_score"]["high"]) == pytest.approx(wilson(hits, 300))


def test_an_error_equal_to_the_tolerance_counts() -> None:
    found = absolute_error(np.array([10.0, 10.0]), np.array([15.0, 15.1]), 5)
    assert found["cumulative_score"]["value"] == 0.5


def test_the_interval_of_the_mae_is_that_of_a_mean() -> None:
    truth, predicted = drawn()
    found = absolute_error(truth, predicted, 5)["mae"]
    error = np.abs(truth - predicted)
    half = 1.96 * error.std() / np.sqrt(300)
    assert (found["low"], found["high"]) == pytest.approx((error.mean() - half, error.mean() + half), abs=0.15)
    subjects = np.repeat(np.arange(300), 5)
    whole = absolute_error(np.repeat(truth, 5), np.repeat(predicted, 5), 5, Draws(subjects))["mae"]
    assert whole["high"] - whole["low"] == pytest.approx(found["high"] - found["low"], rel=0.15)


def test_shares_of_none_and_all_have_intervals_and_equal_errors_have_none() -> None:
    for off, value in ((0.0, 1.0), (9.0, 0.0)):
        found = absolute_error(np.zeros(20), np.full(20, off), 5, Draws(np.arange(20) // 4))
        assert found["cumulative_score"]["value"] == value
        assert found["cumulative_score"]["high"] - found["cumulative_score"]["low"] > 0.1
        assert (found["mae"]["value"], found["mae"]["low"]) == (off, None)


def test_a_prediction_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="the prediction of row 1 is nan, and of 1 rows no finite number"):
        absolute_error(np.zeros(3), np.array([0, np.nan, 0]), 5)
