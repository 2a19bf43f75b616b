"""Validation loss of every cell over its epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grid.report.plots.canvas import Plot, finish, legend, new, stroke, text
from grid.report.plots.scores import MOST, left_out, name_of
from grid.results.rows import Row

KEY, OTHER = "validation_loss", "train_loss"


def learning_curves(rows: Sequence[Row], histories: Sequence[Sequence[Mapping[str, Any]]]) -> Plot | None:
    """A line per cell, replicates in one color; None if no cell has two epochs with a loss."""
    key = KEY if any(epoch.get(KEY) is not None for history in histories for epoch in history) else OTHER
    lines: dict[str, list[list[tuple[int, float]]]] = {}
    for row, history in zip(rows, histories, strict=True):
        points = [(number, float(epoch[key])) for number, epoch in enumerate(history, 1) if epoch.get(key) is not None]
        if len(points) > 1:
            lines.setdefault(name_of(row), []).append(points)
    if not lines:
        return None
    shown = dict(list(lines.items())[:MOST])
    figure, ((axes,),) = new(6.4, 3.3 + 0.17 * len(shown))
    positive = all(loss > 0 for curves in shown.values() for points in curves for _, loss in points)
    for number, (name, curves) in enumerate(shown.items()):
        for place, points in enumerate(curves):
            axes.plot(*zip(*points, strict=True), **stroke(number), label=text(name) if place == 0 else None)
    axes.set(xlabel="epoch", ylabel=key.replace("_", " "), yscale="log" if positive else "linear")
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(figure, axes, list(shown))
    return finish(figure, "learning curves", "Learning curves", f"One line per training.{left_out(len(lines) - len(shown))}")
