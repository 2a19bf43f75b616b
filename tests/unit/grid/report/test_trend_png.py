"""Figures of trends."""

import io
import math
from dataclasses import replace

import numpy as np
from PIL import Image

from grid.report.trend_png import _labeled, trend_png
from grid.results.columns import Column
from grid.results.result import Result
from grid.results.trends import Line, Point, Trend

COLUMN = Column("lfw", "val:0.001", "VAL @ 0.1 %", True, 2)


def _trend(*names: str, values: tuple[float, ...] = (0.4, 0.8, 0.9), **more) -> Trend:
    def line(name: str) -> Line:
        numbers = zip((1600, 6400, 65536), values, strict=True)
        return Line(name, tuple(Point(x, str(x), _result(value)) for x, value in numbers))

    return Trend("lfw by pixels", "pixels", COLUMN, tuple(line(name) for name in names), **more)


def _result(value: float, half: float = 0.05) -> Result:
    return Result("c", {}, None, "evaluate", "val:0.001", value, low=value - half, high=value + half)


def _pixels(trend: Trend) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(trend_png(trend, "study"))).convert("RGB")).astype(int)


def _blue(pixels: np.ndarray) -> np.ndarray:
    """Where the first series is drawn."""
    return np.abs(pixels - (0x00, 0x72, 0xB2)).sum(axis=2) < 30


def test_equal_trends_give_equal_bytes_and_other_numbers_other_ones():
    trend = _trend("a", "b", logarithmic=True)
    assert trend_png(trend, "study") == trend_png(trend, "study")
    assert trend_png(trend, "study") != trend_png(_trend("a", "b", values=(0.4, 0.8, 0.91), logarithmic=True), "study")


def test_intervals_are_drawn():
    heights = _blue(_pixels(_trend("", values=(0.5, 0.5, 0.5)))).sum(axis=0)
    assert (heights > 300).any()
    points = [replace(point, value=replace(point.value, low=None, high=None)) for point in _trend("").lines[0].points]
    bare = _blue(_pixels(Trend("lfw by pixels", "pixels", COLUMN, (Line("", tuple(points)),)))).sum(axis=0)
    assert not (bare > 300).any()


def test_points_without_an_interval_and_with_odd_text_are_drawn():
    bare = replace(_result(0.5), low=None, high=None)
    line = Line("$x_{$", (Point(1.0, "$", bare), Point(2.0, "2", bare)))
    pixels = _pixels(Trend("a $ b", "q$", COLUMN, (line,), connected=False))
    assert _blue(pixels).any()


def test_labels_of_close_ticks_do_not_overlap():
    assert _labeled({599.0: "599", 79.0: "79", 92.0: "92"}, float) == ([79.0, 92.0, 599.0], ["79", "", "599"])
    assert _labeled({1600.0: "a", 6400.0: "b", 65536.0: "c"}, math.log) == ([1600.0, 6400.0, 65536.0], ["a", "b", "c"])
    assert _labeled({5.0: "5"}, float) == ([5.0], ["5"])
