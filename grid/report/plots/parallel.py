"""Parallel coordinates for print: a line per cell through its levels and its numbers (Inselberg, Visual Computer 1, 1985)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grid.report.plots.canvas import LINE, SOFT, Plot, finish, legend, new, stroke, text
from grid.report.plots.scores import MOST, left_out, name_of
from grid.report.stage_times import training_seconds
from grid.results.rows import Table
from grid.spec.levels import REPLICATE

LEVELS = 8  # of a factor whose levels are all written out


@dataclass(frozen=True)
class Axis:
    """One quantity.

    Attributes:
        places: of each row, from 0 (below) to 1; None if it has no value. Better, and later levels, are above.
        labels: (place, text).
    """

    title: str
    places: tuple[float | None, ...]
    labels: tuple[tuple[float, str], ...]


def parallel(table: Table, protocol: str) -> Plot | None:
    """The cells of one protocol, the best first; of replicates the first. None with fewer than two cells or three axes."""
    columns = table.under(protocol)
    main = next((one for one in columns if one.headline), columns[0])
    rows = list({name_of(row): row for row in reversed(table.rows) if protocol in row.metrics}.values())
    sign = 1 if main.lower_is_better else -1
    rows.sort(key=lambda row: float("inf") if (value := row.number(main)) is None else sign * value)
    shown = rows[:MOST]
    axes = [_factor(one.title, one.levels, [row.cell.levels.get(one.axis) for row in shown])
            for one in table.factors if len(one.levels) > 1 and one.axis != REPLICATE]  # fmt: skip
    for column in columns:
        values = [row.number(column) for row in shown]
        axes.append(number_axis(column.heading, values, column.lower_is_better, column.text))
    axes.append(number_axis("Training [s]", [training_seconds(row) for row in shown], True, lambda value: f"{value:.3g}"))
    axes = [one for one in axes if any(place is not None for place in one.places)]
    if len(shown) < 2 or len(axes) < 3:
        return None
    figure, ((plot,),) = new(1.05 * len(axes) + 1.2, 3.6 + 0.17 * len(shown))
    for number in range(len(shown)):
        points = [(x, axis.places[number]) for x, axis in enumerate(axes)]
        there = [point for point in points if point[1] is not None]
        plot.plot(*zip(*there, strict=True), label=text(name_of(shown[number])), marker="o", ms=2.5, zorder=2, **stroke(number))
    for x, axis in enumerate(axes):
        plot.axvline(x, color=LINE, lw=1, zorder=1)
        for place, label in axis.labels:
            plot.annotate(text(label, 18), (x, place), (3, 2), textcoords="offset points", color=SOFT, fontsize=7)
    plot.set_xticks(
        range(len(axes)), [text(axis.title, 40).replace(", ", ",\n").replace(" ", "\n", 1) for axis in axes], fontsize=7
    )
    plot.set(yticks=[], xlim=(-0.15, len(axes) - 0.4), ylim=(-0.06, 1.08))
    plot.spines[["left", "bottom"]].set_visible(False)
    legend(figure, plot, [name_of(row) for row in shown])
    words = f"A line per cell, the best first; above is better, or a later level.{left_out(len(rows) - len(shown))}"
    return finish(figure, f"parallel {protocol}", f"All numbers of a cell on {protocol}", words, protocol)


def number_axis(title: str, values: Sequence[float | None], lower_is_better: bool, shown: Callable[[float], str]) -> Axis:
    """From the worst to the best value; its ends are labeled as ``shown``."""
    known = [value for value in values if value is not None]
    if not known:
        return Axis(title, tuple(None for _ in values), ())
    low, high = (max(known), min(known)) if lower_is_better else (min(known), max(known))
    places = tuple(None if value is None else 0.5 if low == high else (value - low) / (high - low) for value in values)
    labels = ((0.5, shown(low)),) if low == high else ((0.0, shown(low)), (1.0, shown(high)))
    return Axis(title, places, labels)


def _factor(title: str, levels: Sequence[str], own: Sequence[str | None]) -> Axis:
    last = max(1, len(levels) - 1)
    places = {level: number / last for number, level in enumerate(levels)}
    labels = tuple((place, level) for level, place in places.items())
    return Axis(
        title, tuple(places.get(one or "") for one in own), labels if len(labels) <= LEVELS else (labels[0], labels[-1])
    )
