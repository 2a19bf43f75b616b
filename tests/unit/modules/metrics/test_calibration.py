"""Calibration against a plain loop over the bins."""

import numpy as np
import pytest

from modules.metrics.calibration import calibration
from modules.metrics.intervals import wilson
from modules.metrics.unit_bootstrap import Draws


def drawn(count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.3, 1, count)
    return confidence, generator.random(count) < confidence - 0.1  # overconfident by 0.1


def test_the_error_is_the_weighted_gap_of_the_bins() -> None:
    confidence, correct = drawn()
    found = calibration(confidence, correct, 10)
    total = 0.0
    for k in range(10):
        inside = (confidence > k / 10) & (confidence <= (k + 1) / 10)
        if inside.any():
            total += inside.sum() / 500 * abs(correct[inside].mean() - confidence[inside].mean())
            (one,) = (one for one in found["reliability"] if one["from"] == k / 10)
            assert (one["n"], one["confidence"]) == (inside.sum(), pytest.approx(confidence[inside].mean()))
            assert one["accuracy"]["value"] == pytest.approx(correct[inside].mean())
            assert (one["accuracy"]["low"], one["accuracy"]["high"]) == pytest.approx(
                wilson(correct[inside].sum(), inside.sum())
            )
    assert found["ece"]["value"] == pytest.approx(total)
    assert found["ece"]["value"] == pytest.approx(0.1, abs=0.04)
    assert found["ece"]["low"] < found["ece"]["value"] < found["ece"]["high"]


def test_the_ends_of_the_scale_are_in_the_first_and_the_last_bin() -> None:
    found = calibration(np.array([0.0, 1.0, 0.5]), np.array([False, True, True]), 2)
    assert [(one["from"], one["n"]) for one in found["reliability"]] == [(0.0, 2), (0.5, 1)]


def test_a_perfect_classifier_has_an_interval_that_is_not_empty() -> None:
    found = calibration(np.ones(30), np.ones(30, bool), 15)
    assert found["ece"]["value"] == 0
    assert found["ece"]["high"] == pytest.approx(wilson(0, 30)[1])


def test_subjects_widen_the_intervals() -> None:
    confidence, correct = drawn(40)
    subjects = np.repeat(np.arange(40), 10)
    whole = calibration(np.repeat(confidence, 10), np.repeat(correct, 10), 5, Draws(subjects))
    alone = calibration(np.repeat(confidence, 10), np.repeat(correct, 10), 5)
    assert whole["ece"]["high"] - whole["ece"]["low"] > 1.5 * (alone["ece"]["high"] - alone["ece"]["low"])
    assert whole["ece"]["method"] == "subject bootstrap"
    one, other = whole["reliability"][-1]["accuracy"], alone["reliability"][-1]["accuracy"]
    assert one["high"] - one["low"] > other["high"] - other["low"]
