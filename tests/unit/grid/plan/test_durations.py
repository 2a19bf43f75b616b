"""Predicted durations: the estimates by hand, the coverage of the intervals, and which measurements are used."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from grid.plan.durations import PRIOR_SD, PRIOR_WEIGHT, Durations, fit
from grid.plan.history import Duration
from grid.plan.workload import Workload


def took(
    seconds: float, amount: float | None = 1.0, group: str = "train", network: str = "net", device: str = "cpu"
) -> Duration:
    return Duration(Workload(group, network, amount), seconds, device)


def test_one_measurement_is_scaled_in_proportion() -> None:
    found = fit([took(10.0, 4.0)])
    assert found.seconds(4.0) == pytest.approx(10.0)
    assert found.seconds(8.0) == pytest.approx(20.0)
    assert found.seconds(None) == pytest.approx(10.0)
    assert (found.weight, found.variance) == (PRIOR_WEIGHT, pytest.approx(PRIOR_SD**2)), "nothing but the prior"


def test_without_amounts_the_geometric_mean_counts() -> None:
    assert fit([took(2.0, None), took(8.0, None)]).seconds(1e9) == pytest.approx(4.0)


def test_a_line_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    amounts = np.exp(rng.normal(0, 2, 40))
    seconds = 3 * amounts**0.6 * np.exp(rng.normal(0, 0.1, 40))
    found = fit([took(float(s), float(a)) for s, a in zip(seconds, amounts, strict=True)])
    line = stats.linregress(np.log(amounts), np.log(seconds))
    assert found.slope == pytest.approx(line.slope)
    assert math.log(found.seconds(5.0)) == pytest.approx(line.intercept + line.slope * math.log(5.0))
    rest = float(((np.log(seconds) - line.intercept - line.slope * np.log(amounts)) ** 2).sum())
    assert found.variance * found.weight == pytest.approx(PRIOR_WEIGHT * PRIOR_SD**2 + rest)
    assert found.weight == PRIOR_WEIGHT + 38


@pytest.mark.parametrize(("exponent", "slope"), [(1.7, 1.0), (-0.5, 0.0)])
def test_more_work_takes_no_less_time_and_no_more_than_in_proportion(exponent: float, slope: float) -> None:
    found = fit([took(10 * amount**exponent, amount) for amount in (1.0, 2.0, 4.0, 8.0, 16.0)])
    assert (found.slope, found.free) == (slope, 0.0)


def test_draws_have_the_predictive_distribution_of_student() -> None:
    """Without a slope it is Student's: the posterior predictive of a normal sample under these priors."""
    found = fit([took(seconds) for seconds in (9.0, 10.0, 12.0, 30.0)])
    rng = np.random.default_rng(1)
    logs = np.log([found.draw(rng)(1.0) for _ in range(4000)])
    scale = math.sqrt(found.variance * (1 + 1 / 4))
    assert stats.kstest(logs, stats.t(found.weight, found.level, scale).cdf).pvalue > 0.01


def test_stages_of_one_draw_share_the_error_of_the_level() -> None:
    """The spread of a sum of many stages shrinks to that of the level, and not to none."""
    found = fit([took(10.0), took(14.0)])
    rng = np.random.default_rng(2)
    means = []
    for _ in range(300):
        one = found.draw(rng)
        means.append(np.log([one(1.0) for _ in range(400)]).mean())
    assert np.std(means) == pytest.approx(math.sqrt(found.variance * found.weight / (found.weight - 2) / 2), rel=0.2)


def test_nine_of_ten_intervals_hold_the_next_duration() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        amounts = np.exp(rng.normal(0, 1.5, 9))
        seconds = 5 * amounts**0.8 * np.exp(rng.normal(0, 0.4, 9))
        found = fit([took(float(s), float(a)) for s, a in zip(seconds[:8], amounts[:8], strict=True)])
        draws = [found.draw(rng)(float(amounts[8])) for _ in range(200)]
        low, high = np.quantile(draws, [0.05, 0.95])
        inside += low <= seconds[8] <= high
    assert 0.86 <= inside / 400 <= 0.96, "binomial: 0.9 with a standard error of 0.015"


def test_the_most_similar_measurements_are_used_alone() -> None:
    known = Durations(
        [
            took(1.0, group="explain gradcam", network="a"),
            took(10.0, group="explain gradcam", network="b"),
            took(100.0, group="explain rise", network="b"),
            took(5.0, group="train", device="NVIDIA H100 80GB HBM3"),
        ]
    )

    def median(group: str, network: str, device: str = "cpu") -> float | None:
        found = known.of(Workload(group, network, 1.0), device)
        return found and round(found.seconds(1.0), 6)

    assert median("explain gradcam", "a") == 1.0
    assert median("explain gradcam", "c") == pytest.approx(math.sqrt(10.0)), "the same explainer with other networks"
    assert median("explain corr_rise", "a") == 10.0, "other explainers: the geometric mean of all"
    assert median("train", "net") is None, "measured on another device"
    assert median("train", "x", "H100") == median("train", "net", "gpu") == 5.0
    assert median("train", "net", "A100") is None
    assert median("explain gradcam", "a", "gpu") is None
    assert median("train:weights", "net", "H100") is None, "nothing is trained there"
