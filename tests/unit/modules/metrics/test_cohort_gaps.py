"""Simultaneous intervals against normal theory and against a naive bootstrap."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm, studentized_range, t

from modules.metrics.cohort_gaps import Resampled, differences, gap


def normal(values: list[float], errors: list[float], resamples: int = 20_000, seed: int = 0) -> list[Resampled]:
    generator = np.random.default_rng(seed)
    return [Resampled(v, e, generator.normal(v, e, resamples)) for v, e in zip(values, errors, strict=True)]


def test_the_gap_of_equally_exact_cohorts_has_the_width_of_tukeys_test() -> None:
    cohorts = normal([0.5, 0.6, 0.7, 0.9], [0.01] * 4)
    found = gap(cohorts, share=True)
    half = studentized_range.ppf(0.95, 4, np.inf) * 0.01
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half), abs=0.002)
    assert (found.highest, found.lowest) == (3, 0)
    assert found.p < 0.001


def test_one_contrast_has_the_normal_interval_and_p_value() -> None:
    one, other = normal([0.55, 0.52], [0.01, 0.02])
    (found,) = differences([(one, other)], share=True)
    error = (0.01**2 + 0.02**2) ** 0.5
    assert (found.low, found.high) == pytest.approx((0.03 - 1.96 * error, 0.03 + 1.96 * error), abs=0.002)
    assert found.p == pytest.approx(2 * norm.sf(0.03 / error), abs=0.015)


def test_intervals_and_p_values_are_those_of_a_naive_loop() -> None:
    generator = np.random.default_rng(1)
    common = generator.normal(0, 0.02, 500)
    estimates = [Resampled(v, 0.03, v + common + generator.normal(0, 0.02, 500)) for v in (0.1, 0.2, 0.25)]
    pairs = list(combinations(estimates, 2))
    largest, spreads = [], []
    for one, other in pairs:
        spreads.append(np.std(one.drawn - other.drawn, ddof=1))
    for draw in range(500):
        largest.append(
            max(
                abs(one.drawn[draw] - other.drawn[draw] - (one.value - other.value)) / spread
                for (one, other), spread in zip(pairs, spreads, strict=True)
            )
        )
    place = 0.95 * 501 - 1  # from 0, between two of the 500 sorted values
    lower, upper = sorted(largest)[int(place)], sorted(largest)[int(place) + 1]
    critical = lower + (place - int(place)) * (upper - lower)
    for (one, other), spread, found in zip(pairs, spreads, differences(pairs, share=False), strict=True):
        related = np.corrcoef(one.drawn, other.drawn)[0, 1]
        error = max((2 * 0.03**2 * (1 - related)) ** 0.5, spread)
        difference = one.value - other.value
        assert (found.low, found.high) == pytest.approx((difference - critical * error, difference + critical * error))
        above = sum(value >= abs(difference) / error for value in largest)
        assert found.p == pytest.approx((1 + above) / 501)


def test_cohorts_without_any_variance_are_not_known_exactly() -> None:
    """All images of 20 and of 30 subjects are right."""
    entries = [{"value": 1.0, "low": 1 - width, "high": 1.0} for width in (0.16, 0.11)]
    cohorts = [Resampled.of(entry, np.ones(200), units) for entry, units in zip(entries, (20, 30), strict=True)]
    found = gap(cohorts, share=True)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high > 0.05
    assert found.p > 0.9


def test_few_units_widen_the_standard_error_by_students_t() -> None:
    drawn = np.random.default_rng(2).normal(0.5, 0.1, 300)
    few = Resampled.of({"value": 0.5}, drawn, 4)
    assert few.error == pytest.approx(drawn.std(ddof=1) * (4 / 3) ** 0.5 * t.ppf(0.975, 3) / norm.ppf(0.975))
    own = Resampled.of({"value": 0.5, "low": 0.0, "high": 1.0}, drawn, 1000)
    assert own.error == pytest.approx(0.5 / norm.ppf(0.975))


def test_differences_of_shares_end_at_one() -> None:
    one, other = normal([0.99, 0.02], [0.2, 0.2])
    assert differences([(one, other)], share=True)[0].high == 1.0
    assert differences([(one, other)], share=False)[0].high > 1.0


@pytest.mark.parametrize("absent", [np.nan, np.inf])
def test_resamples_without_a_cohort_do_not_count(absent: float) -> None:
    one, other = normal([0.55, 0.52], [0.01, 0.02])
    lost = Resampled(one.value, one.error, np.where(np.arange(len(one.drawn)) % 10 == 0, absent, one.drawn))
    (whole,), (part,) = differences([(one, other)], share=True), differences([(lost, other)], share=True)
    assert (part.low, part.high) == pytest.approx((whole.low, whole.high), abs=0.003)
