"""A trend as a figure: numbers with their 95 % intervals against a quantity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from grid.figure_png import figure_png
from grid.report.plots.canvas import COLORS, DASHES, text
from grid.results.trends import Line, Trend

WIDTH, HEIGHT, DPI = 7.2, 3.9, 160  # inches, and pixels per inch
MARKS = "os^Dv"
CLOSE = 0.08  # share of the axis that a label of a tick needs
LEGEND = 24  # most lines that a legend names


def trend_png(trend: Trend, study: str) -> bytes:
    """PNG; equal trends give equal bytes. Series differ in color, then in dashes and marks."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for number, line in enumerate(trend.lines):
        _draw(axes, trend, line, number)
    axes.set_title(text(f"{study}: {trend.title}"), loc="left", fontsize=10)
    axes.set(xlabel=text(trend.quantity), ylabel=text(trend.column.heading))
    _ticks(axes, trend)
    axes.grid(axis="y", color="#e4e5e8", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if len(trend.lines) > 1 or trend.lines[0].name:
        axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure_png(figure)


def _draw(axes: Any, trend: Trend, line: Line, number: int) -> None:
    scale = 100 if trend.column.percent else 1
    round_, hue = divmod(number, len(COLORS))
    values = [point.value for point in line.points]
    middle = [scale * float(one.value or 0.0) for one in values]
    low, high = ([getattr(one, end) for one in values] for end in ("low", "high"))
    spread = [
        [0.0 if end is None else max(0.0, at - scale * end) for at, end in zip(middle, low, strict=True)],
        [0.0 if end is None else max(0.0, scale * end - at) for at, end in zip(middle, high, strict=True)],
    ]
    axes.errorbar(
        [_beside(point.x, trend, number) for point in line.points],
        middle,
        yerr=spread,
        color=COLORS[hue],
        ls=DASHES[round_ % len(DASHES)] if trend.connected else "",
        marker=MARKS[round_ % len(MARKS)],
        ms=4.5,
        lw=1.5,
        elinewidth=1,
        capsize=2.5,
        label=text(line.name) if number < LEGEND else None,
    )


def _beside(x: float, trend: Trend, number: int) -> float:
    """The place of a series' point: series stand side by side, so that their intervals do not overlap."""
    if not trend.connected or len(trend.lines) > len(COLORS):
        return x
    places = [point.x for line in trend.lines for point in line.points]
    shift = 0.012 * (number - (len(trend.lines) - 1) / 2)
    if trend.logarithmic:
        return float(x * (max(places) / min(places)) ** shift)
    return x + (max(places) - min(places)) * shift


def _ticks(axes: Any, trend: Trend) -> None:
    """Ticks at the measured places if there are few, so that each can be read."""
    places = {point.x: point.text for line in trend.lines for point in line.points}
    if trend.logarithmic:
        axes.set_xscale("log")
        axes.minorticks_off()
    if len(places) <= 8:
        axes.set_xticks(*_labeled(places, math.log if trend.logarithmic else float))


def _labeled(places: Mapping[float, str], scale: Callable[[float], float]) -> tuple[list[float], list[str]]:
    """The ticks and their labels; a tick that is too close to a labeled one has an empty label."""
    ticks, labels, last = sorted(places), [], -math.inf
    width = scale(ticks[-1]) - scale(ticks[0])
    for x in ticks:
        free = scale(x) - last >= CLOSE * width
        labels.append(places[x] if free else "")
        last = scale(x) if free else last
    return ticks, labels
