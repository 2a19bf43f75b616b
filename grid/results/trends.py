"""Numbers of a study against a quantity: a sweep's setting, an axis whose levels are numbers, or the networks' operations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from configs.lookup import resolve
from grid.results.columns import Column
from grid.results.result import Result
from grid.results.rows import Row, Table
from grid.spec.levels import REPLICATE

if TYPE_CHECKING:
    from modules.model_complexity import Count


@dataclass(frozen=True)
class Point:
    """One number: ``x`` is the quantity and ``text`` how it is printed."""

    x: float
    text: str
    value: Result


@dataclass(frozen=True)
class Line:
    """The points of one series in ascending order of ``x``; ``name`` is empty if the trend has one series."""

    name: str
    points: tuple[Point, ...]

    @classmethod
    def of(cls, name: str, points: Iterable[Point]) -> Line:
        """From points in any order."""
        return cls(name, tuple(sorted(points, key=lambda one: one.x)))


@dataclass(frozen=True)
class Trend:
    """One figure.

    Attributes:
        title: of the figure.
        quantity: what is on the horizontal axis.
        column: what is on the vertical axis.
        lines: the series.
        connected: the points of a series are joined; else each stands for itself.
        logarithmic: the horizontal axis is logarithmic.
    """

    title: str
    quantity: str
    column: Column
    lines: tuple[Line, ...]
    connected: bool = True
    logarithmic: bool = False


def trends(table: Table) -> list[Trend]:
    """The trends of a study: its sweeps, its numeric axes, and its networks by their number of operations."""
    found = [trend for sweep in table.sweeps if (trend := _sweep(table, sweep))]
    for protocol in table.protocols:
        if column := main_column(table.under(protocol), table.rows):
            axes = [trend for axis in numeric_axes(table) if (trend := _axis(table, axis, column))]
            found += [*axes, *([trend] if (trend := _operations(table, column)) else [])]
    return found


def main_column(columns: Sequence[Column], rows: Sequence[Row]) -> Column | None:
    """The column to draw: VAL at the smallest FAR that every evaluated cell can show; without VAL, the first headline."""
    rates = sorted((one for one in columns if one.key.startswith("val:")), key=lambda one: float(one.key.split(":")[1]))
    for column in rates:
        values = [row.number(column) for row in rows if row.value(column)]
        if values and None not in values:
            return column
    return next((one for one in columns if one.headline), None)


def numeric_axes(table: Table) -> list[str]:
    """The axes with several levels, all of them numbers."""
    return [
        one.axis
        for one in table.factors
        if one.axis != REPLICATE and len(one.levels) > 1 and all(_number(level) is not None for level in one.levels)
    ]


def complexity(config: Mapping[str, Any]) -> Count | None:
    """Parameters and operations of a cell's network, see ``modules.model_complexity``; None if unknown."""
    from modules.model_complexity import count

    try:
        backbone, head, loss = (resolve(kind, config[kind]) for kind in ("backbone", "head", "loss"))
        size, width = config["input"]["size"], config["input"].get("width")
        return count(backbone, head, loss, 2, size if width is None else (size, width))  # type: ignore[arg-type]
    except (KeyError, ValueError):  # a module of the user's that is not here, or a network that does not take the size
        return None


def _sweep(table: Table, sweep: Any) -> Trend | None:
    shown = list(sweep.protocols.items())
    rates = sorted((one for one in sweep.columns if one.key.startswith("val:")), key=lambda one: float(one.key.split(":")[1]))
    headline = [one for one in sweep.columns if one.headline]
    for column in [*rates, *headline]:
        lines = []
        for row in table.lines:
            values = [(x, sweep.value(row, protocol, column)) for x, protocol in shown]
            if points := [Point(x, f"{x:g}", value) for x, value in values if value and value.value is not None]:
                lines.append(Line.of(_levels(row.cell.levels), points))
        if lines and (column in headline or all(len(line.points) == len(shown) for line in lines)):
            return Trend(sweep.title, sweep.setting, column, tuple(lines), logarithmic=_wide(sweep.protocols))
    return None


def _axis(table: Table, axis: str, column: Column) -> Trend | None:
    groups: dict[str, list[Point]] = {}
    for row in table.rows:
        value, level = row.value(column), row.cell.levels[axis]
        if value and value.value is not None:
            rest = {other: text for other, text in row.cell.levels.items() if other != axis}
            groups.setdefault(_levels(rest), []).append(Point(float(level), level, value))
    lines = tuple(Line.of(name, points) for name, points in groups.items())
    if not any(len(line.points) > 1 for line in lines):
        return None
    title = next(factor.title for factor in table.factors if factor.axis == axis)
    xs = [point.x for line in lines for point in line.points]
    return Trend(f"{column.protocol} by {title}", title, column, lines, logarithmic=_wide(xs))


def _operations(table: Table, column: Column) -> Trend | None:
    groups: dict[str, list[Point]] = {}
    for row in table.rows:
        value = row.value(column)
        if value is None or value.value is None or (network := complexity(row.cell.config)) is None:
            continue
        name, millions = f"{row.cell.config['backbone']['name']}, {row.cell.config['input']['size']} px", network.flops / 1e6
        groups.setdefault(name, []).append(Point(millions, f"{millions:,.0f}", value))
    lines = tuple(Line.of(name, points) for name, points in groups.items())
    xs = {point.x for line in lines for point in line.points}
    if len(xs) < 2:
        return None
    title = f"{column.protocol} by operations of the network"
    return Trend(title, "MFLOPs per image", column, lines, connected=False, logarithmic=_wide(xs))


def _wide(xs: Collection[float]) -> bool:
    """Whether positive numbers span a factor of 8 or more."""
    return min(xs) > 0 and max(xs) >= 8 * min(xs)


def _levels(levels: Mapping[str, str]) -> str:
    return ", ".join(f"{axis} {level}" for axis, level in levels.items())


def _number(level: str) -> float | None:
    try:
        number = float(level)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
