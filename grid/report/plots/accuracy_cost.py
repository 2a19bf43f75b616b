"""A metric against what a cell cost to train."""

from __future__ import annotations

from typing import Any

from grid.report.plots.canvas import SOFT, Plot, finish, legend, new, stroke, text
from grid.report.plots.scores import MOST, name_of
from grid.report.stage_times import training_seconds
from grid.results.columns import Column
from grid.results.rows import Table
from grid.terminal import counted


def accuracy_cost(table: Table, column: Column) -> Plot | None:
    """A point per cell and replicate with its 95 % interval, and the cells that no other cell is both cheaper and better
    than."""
    found: list[tuple[Any, ...]] = []
    scale = 100 if column.percent else 1
    for row in table.rows:
        value, cost = row.value(column), training_seconds(row)
        if value and value.value is not None and cost:
            low, high = (value.value if end is None else end for end in (value.low, value.high))
            found.append((name_of(row), cost, *(scale * one for one in (value.value, low, high))))
    minutes = min((cost for _, cost, *_ in found), default=0.0) >= 60
    found = [(name, cost / (60 if minutes else 1), *rest) for name, cost, *rest in found]
    names = list(dict.fromkeys(name for name, *_ in found))
    if len(names) < 2:
        return None
    shown = names[:MOST]
    figure, ((axes,),) = new(6.4, 3.4 + 0.17 * len(shown))
    for number, name in enumerate(shown):
        own = [one[1:] for one in found if one[0] == name]
        style = stroke(number)
        mark = "os^D"[number // 8 % 4]
        for place, (cost, value, low, high) in enumerate(own):
            axes.plot([cost, cost], [low, high], color=style["color"], lw=1, zorder=2)
            axes.plot([cost], [value], mark, color=style["color"], ms=5, zorder=3, label=text(name) if place == 0 else None)
    rest = [(cost, value) for name, cost, value, *_ in found if name not in shown]
    axes.plot([cost for cost, _ in rest], [value for _, value in rest], "o", color=SOFT, ms=2.5, zorder=2)
    front = pareto([(cost, value) for _, cost, value, *_ in found], column.lower_is_better)
    axes.plot(*zip(*front, strict=True), color=SOFT, lw=1, linestyle=":", zorder=1)
    costs = [cost for _, cost, *_ in found]
    axes.set(xlabel=f"{'minutes' if minutes else 'seconds'} of training", ylabel=text(column.heading))
    axes.set_xscale("log" if max(costs) > 8 * min(costs) else "linear")
    legend(figure, axes, shown)
    more = f" Gray: the other {counted(len(names) - len(shown), 'cell')}." if rest else ""
    words = (
        "Duration of the training stage on the machine that ran it; 95 % intervals of each cell by itself. The dotted line "
        f"joins cells that no other is both cheaper and better than.{more}"
    )
    return finish(
        figure,
        f"cost {column.key} {column.protocol}",
        f"{column.title} on {column.protocol} against cost",
        words,
        column.protocol,
    )


def pareto(points: list[tuple[float, float]], lower_is_better: bool = False) -> list[tuple[float, float]]:
    """The points (cost, value) that no other is both cheaper and better than, by cost."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda one: (one[0], one[1] if lower_is_better else -one[1])):
        if not front or (value < front[-1][1] if lower_is_better else value > front[-1][1]):
            front.append((cost, value))
    return front
