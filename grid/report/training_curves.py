"""Learning curves of every cell as small plots: loss on one logarithmic scale, accuracy from 0 to 100 %.

With several targets, the validation of each has plots of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grid.report.charts import Frame
from grid.results.rows import Row, Table
from grid.spec.stage_name import TRAIN

LOSS, ACCURACY = Frame(150, 84, 38, 6), Frame(150, 46, 38, 112)
HEIGHT = 176  # of both plots including the epoch labels below
SHORT = 114  # of the loss alone
STEP = 66  # from one lower plot to the next
TARGET = re.compile(r"validation_(accuracy|mae|loss)_(.+)")  # see modules.training.target_validation
KINDS = ("train", "validation")
History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Scale:
    """A vertical axis.

    Attributes:
        low, high: the values at the bottom and at the top
        log: whether it is logarithmic; both ends are then above 0
        ticks: the labeled values
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """0 at the bottom, 1 at the top."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


SHARES = Scale(0, 1, False, (0, 0.5, 1))
WORDS = {"mae": "mean absolute error"}


@dataclass(frozen=True)
class Plot:
    """One quantity of one cell.

    Attributes:
        title: printed above it; empty for the quantities of the training
        ticks: (y, text)
        lines: SVG points for training and validation; empty if there are none
        kept: (x, y) of the epoch whose weights were kept
    """

    name: str
    frame: Frame
    ticks: tuple[tuple[float, str], ...]
    lines: Mapping[str, str]
    kept: tuple[float, float] | None
    title: str = ""


@dataclass(frozen=True)
class Curves:
    """A cell's plots. Epochs count from 1.

    Attributes:
        number: of the row
        epochs: number of finished epochs
        length: the epoch at the right end, the same for all cells
        kept: the epoch whose weights were kept
        best: the lowest validation loss, as printed
        log: the losses of all cells are on one logarithmic scale
        height: of the drawing
    """

    row: Row
    number: int
    plots: tuple[Plot, ...]
    epochs: int
    length: int
    kept: int | None
    best: str
    log: bool
    height: float


def training_curves(table: Table, histories: Sequence[History]) -> list[Curves]:
    """One entry per cell that has finished an epoch. If a loss is 0 or less, each cell has a separate linear scale."""
    known = [(number, row, rows) for number, (row, rows) in enumerate(zip(table.rows, histories, strict=True)) if rows]
    losses = [_numbers(rows, "loss") for _, _, rows in known]
    every = [value for some in losses for value in some]
    shared = log_scale(min(every), max(every)) if every and min(every) > 0 else None
    length = max((len(rows) for _, _, rows in known), default=1)
    lower = _target_scales([rows for _, _, rows in known])
    if not lower and any(_numbers(rows, "accuracy") for _, _, rows in known):
        lower = {"accuracy": SHARES}
    return [
        _curves(row, number, rows, shared or linear_scale(min(own, default=0.0), max(own, default=1.0)), length, lower)
        for (number, row, rows), own in zip(known, losses, strict=True)
    ]


def _target_scales(histories: Sequence[History]) -> dict[str, Scale]:
    """Quantity of a target, such as ``accuracy_gender`` -> its scale in all cells, target by target."""
    found = [TARGET.fullmatch(key) for rows in histories for one in rows for key in one]
    keys = {(match[2], match[1]): f"{match[1]}_{match[2]}" for match in found if match}
    scales = {}
    for (_, quantity), key in sorted(keys.items(), key=lambda one: (one[0][0], one[0][1] == "loss")):
        values = [value for rows in histories for value in _numbers(rows, key)]
        if quantity == "accuracy":
            scales[key] = SHARES
        elif values:
            scales[key] = linear_scale(min(0.0, *values), max(values))
    return scales


def _curves(row: Row, number: int, rows: History, loss: Scale, length: int, lower: Mapping[str, Scale]) -> Curves:
    kept = row.markers[TRAIN].facts.get("kept_epoch") if TRAIN in row.markers else None
    plots = [_plot("loss", LOSS, loss, rows, kept, length)]
    for place, (name, scale) in enumerate(lower.items()):
        frame = replace(ACCURACY, top=ACCURACY.top + STEP * place)
        plots.append(_plot(name, frame, scale, rows, kept, length))
    validation = [one["validation_loss"] for one in rows if _finite(one.get("validation_loss"))]
    best = f"{min(validation):.3g}" if validation else "–"
    height = HEIGHT + STEP * (len(lower) - 1) if lower else SHORT
    return Curves(row, number, tuple(plots), len(rows), length, None if kept is None else kept + 1, best, loss.log, height)


def _plot(name: str, frame: Frame, scale: Scale, rows: History, kept: int | None, length: int) -> Plot:
    def height(value: float) -> float:
        return round(frame.top + (1 - scale.place(value)) * frame.height, 1)

    lines, ring = {}, None
    for kind in KINDS:
        known = {one["epoch"]: one[f"{kind}_{name}"] for one in rows if _finite(one.get(f"{kind}_{name}"))}
        points = [(epoch / max(length - 1, 1), scale.place(value)) for epoch, value in known.items()]
        if points:
            lines[kind] = frame.points(np.array(points * 2 if len(points) == 1 else points, float))  # draws a dot
        if kind == "validation" and kept is not None and kept in known:
            ring = round(frame.left + kept / max(length - 1, 1) * frame.width, 1), height(known[kept])
    quantity, _, target = name.partition("_")
    percent = quantity == "accuracy"
    ticks = tuple((height(tick), f"{100 * tick:.0f} %" if percent else f"{tick:g}") for tick in scale.ticks)
    return Plot(name, frame, ticks, lines, ring, f"{target}, {WORDS.get(quantity, quantity)}" if target else "")


def log_scale(low: float, high: float) -> Scale:
    """From the 1-2-5 number at or below ``low`` to the one at or above ``high``, with at most five ticks."""
    steps = [
        10.0**power * digit
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for digit in (1, 2, 5)
    ]
    steps = [float(f"{step:.1g}") for step in steps]
    start = max(place for place, step in enumerate(steps) if step <= low)
    end = min(place for place, step in enumerate(steps) if step >= high and place > start)
    every = math.ceil((end - start) / 4)
    return Scale(steps[start], steps[end], True, tuple(steps[start : end + 1 : every]))


def linear_scale(low: float, high: float) -> Scale:
    """From ``low`` to ``high`` with three ticks, rounded to three digits."""
    if not low < high:
        low, high = low - 0.5, high + 0.5
    ticks = (float(f"{value:.3g}") for value in (low, (low + high) / 2, high))
    return Scale(low, high, False, tuple(ticks))


def _numbers(rows: History, name: str) -> list[float]:
    return [float(one[f"{kind}_{name}"]) for one in rows for kind in KINDS if _finite(one.get(f"{kind}_{name}"))]


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
