"""Points of the charts against rates that are counted pair by pair."""

import numpy as np
import pytest
from scipy.stats import norm

from grid.report.interactive.curve_points import curve_points, rounded
from modules.metrics.roc import Curve


def scored(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    same = np.arange(pairs) < pairs // 3
    return np.where(same, 0.5, 0.0) + rng.normal(0, 0.3, pairs), same


def test_every_point_is_counted_at_its_threshold() -> None:
    scores, same = scored(300)
    found = curve_points(Curve.of(scores, same), 10_000)
    assert found["threshold"][0] is None
    assert (found["far"][0], found["tar"][0], found["far"][-1], found["tar"][-1]) == (0, 0, 1, 1)
    for far, tar, threshold in zip(found["far"], found["tar"], found["threshold"], strict=True):
        if threshold is not None:
            nearest = scores[np.argmin(np.abs(scores - threshold))]  # thresholds are rounded
            accepted = scores >= nearest
            assert far == pytest.approx(accepted[~same].mean(), rel=1e-4)
            assert tar == pytest.approx(accepted[same].mean(), rel=1e-4)


def test_what_is_left_out_is_near_a_kept_point_in_every_view() -> None:
    """On a linear and a logarithmic FAR axis, and on normal deviates."""
    scores, same = scored(30_000)
    curve = Curve.of(scores, same)
    found = curve_points(curve, 2000)
    assert 100 < len(found["far"]) <= 2000
    floor = 0.5 / max(curve.genuine, curve.impostor)

    def views(far: np.ndarray, tar: np.ndarray) -> list[np.ndarray]:
        deviates = [norm.ppf(np.clip(rate, floor, 1 - floor)) / norm.ppf(1 - floor) / 2 for rate in (far, tar)]
        log = np.log(np.maximum(far, floor)) / -np.log(floor)
        return [np.stack(two, axis=1) for two in ((far, tar), (log, tar), deviates)]

    drawn = views(np.array(found["far"]), np.array(found["tar"]))
    every = views(curve.far, curve.tar)
    for kept, points in zip(drawn, every, strict=True):
        for point in points[::251]:
            assert np.abs(kept - point).max(axis=1).min() <= 1 / 60


def test_fewer_points_are_kept_where_many_curves_share_the_page() -> None:
    curve = Curve.of(*scored(30_000))
    lengths = [len(curve_points(curve, most)["far"]) for most in (5000, 500, 200, 1)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[1] <= 500
    assert lengths[3] >= 10  # the coarsest step, however few are asked for


def test_numbers_have_as_many_digits_as_a_chart_shows() -> None:
    assert rounded(np.float32(0.123456789)) == 0.12346
    assert rounded(1234567) == 1234600
