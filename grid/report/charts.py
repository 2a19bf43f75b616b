"""Coordinates of the page's charts. The template contains the shapes, this file the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from grid.results.columns import CROSS_VALIDATED, Column
from grid.results.rows import Factor, Row, Table
from grid.spec.levels import other_levels

HUES = 8  # number of colors in the style sheet
DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4", "1 5")


@dataclass(frozen=True)
class Stroke:
    """The line style of a cell's curves: the color is the level of the first varying factor, the dashes encode the others."""

    hue: int
    dash: str


def strokes(table: Table) -> list[Stroke]:
    """One per row."""
    main = next((factor for factor in table.factors if len(factor.levels) > 1), None)
    if main is None:
        return [Stroke(0, "") for _ in table.rows]
    kinds: dict[tuple[tuple[str, str], ...], int] = {}
    for row in reversed(table.rows):  # the last combination of levels is usually the complete one: it gets the solid line
        kinds.setdefault(_others(row, main), len(kinds))
    return [
        Stroke(
            main.levels.index(row.cell.levels[main.axis]) % HUES if row.cell.levels.get(main.axis) in main.levels else 0,
            DASHES[kinds[_others(row, main)] % len(DASHES)],
        )
        for row in table.rows
    ]


def _others(row: Row, main: Factor) -> tuple[tuple[str, str], ...]:
    return tuple(other_levels(row.cell.levels, main.axis).items())


@dataclass(frozen=True)
class Frame:
    """A plot's rectangle in drawing units."""

    width: float
    height: float
    left: float
    top: float

    def points(self, curve: np.ndarray) -> str:
        """Converts (k, 2) from 0 to 1, y upwards, to SVG points with one decimal."""
        x, y = self.left + curve[:, 0] * self.width, self.top + (1 - curve[:, 1]) * self.height
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


@dataclass(frozen=True)
class Whisker:
    """An interval and its estimate, as percentages of a strip's width."""

    low: float
    value: float
    high: float

    @staticmethod
    def of(ends: Iterable[float], start: float, end: float) -> Whisker:
        """From the lower end, the value and the upper end; the strip shows ``start`` to ``end``."""
        return Whisker(*(round((number - start) * 100 / max(end - start, 1e-9), 2) for number in ends))


@dataclass(frozen=True)
class Forest:
    """Intervals of one column on a common scale."""

    column: Column
    start: str  # the value at the left end, as printed
    end: str
    whiskers: Mapping[int, Whisker]  # by line


def forest(table: Table, protocol: str) -> Forest | None:
    """The intervals of cross-validated accuracy under a protocol; None if it has none, or nothing was evaluated."""
    column = next((one for one in table.under(protocol) if one.key == CROSS_VALIDATED), None)
    if column is None:
        return None
    found = {}
    for number, row in enumerate(table.lines):
        value = row.value(column)
        if value is not None and value.value is not None and value.low is not None and value.high is not None:
            found[number] = (value.low, value.value, value.high)
    if not found:
        return None
    start = math.floor(min(low for low, _, _ in found.values()) * 100) / 100
    end = math.ceil(max(high for _, _, high in found.values()) * 100) / 100
    whiskers = {n: Whisker.of(three, start, end) for n, three in found.items()}
    return Forest(column, f"{start * 100:.0f} %", f"{end * 100:.0f} %", whiskers)
