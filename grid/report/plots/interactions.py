"""Interaction plots: mean of a metric over the levels of one factor, a line per level of another."""

from __future__ import annotations

import itertools

import numpy as np

from grid.analysis import words
from grid.analysis.analysis import MetricAnalysis, ProtocolAnalysis
from grid.report.plots.canvas import Plot, finish, panels, stroke, text, ticks

MOST = 6  # combinations of two factors that are drawn
LEVELS = 8  # more lines cannot be distinguished
UNBALANCED = (
    "Combinations are missing: only those of the other factors that every point of a panel has are in its means. If there are "
    "none, its points are means of different cells, so lines need not be parallel without an interaction."
)


def interactions(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> Plot | None:
    """A panel per two factors with several levels; None with fewer than two such factors. Lines that are parallel do not
    interact."""
    levels = {
        axis: [one for one in all_ if any(cell[axis] == one for cell in protocol.cells)] for axis, all_ in protocol.axes.items()
    }
    factors = [axis for axis, found in levels.items() if 1 < len(found) <= LEVELS]
    combined = [tuple(sorted(two, key=lambda axis: -len(levels[axis]))) for two in itertools.combinations(factors, 2)][:MOST]
    if not combined:
        return None
    scale = 100 if metric.column.percent else 1
    points = [_points(protocol, metric, two) for two in combined]
    figure, axes = panels(len(combined), 2, (3.3, 2.5), (0.2, 0.0), sharey=True)
    for place, (across, lines), (found, _) in zip(axes, combined, points, strict=True):
        for number, line in enumerate(levels[lines]):
            y = [scale * float(np.mean(found.get((one, line), np.nan))) for one in levels[across]]
            place.plot(
                range(len(y)),
                y,
                "o",
                ms=4,
                **stroke(number) | {"linestyle": "-" if number % 2 == 0 else "--"},
                label=text(line, 24),
            )
        ticks(place, levels[across])
        place.margins(x=0.12)
        place.set_xlabel(text(across, 40))
        place.legend(title=text(lines, 24), fontsize=7, title_fontsize=7, frameon=False)
    figure.supylabel(text(metric.column.heading), fontsize=9)
    tests = [
        f"{term.label}: p {words.probability(term.adjusted)}"
        for term in metric.effects.terms
        if len(term.term) == 2 and term.adjusted is not None
    ]
    about = "Means over all other factors. Parallel lines: the effect of one factor does not depend on the other."
    if not all(balanced for _, balanced in points):
        about = f"{about.replace('all other factors', 'other factors')} {UNBALANCED}"
    about += f" Tests of the interactions (Holm): {'; '.join(tests)}." if tests else " No test of the interactions is possible."
    title = f"Interactions: {metric.column.title} on {protocol.protocol}"
    return finish(figure, f"interactions {metric.column.key} {protocol.protocol}", title, about, protocol.protocol)


def _points(
    protocol: ProtocolAnalysis, metric: MetricAnalysis, two: tuple[str, ...]
) -> tuple[dict[tuple[str, ...], list[float]], bool]:
    """Levels of the two factors -> the numbers to average; and whether these are of all cells.

    A combination of the other factors that some point lacks would add its own effect to the other points alone.
    """
    found: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}
    for cell, mean in zip(protocol.cells, metric.contrasts.means, strict=True):
        others = tuple(level for axis, level in cell.items() if axis not in two)
        found.setdefault(tuple(cell[axis] for axis in two), {})[others] = float(mean)
    common = set.intersection(*(set(one) for one in found.values()))
    numbers = {point: [one[others] for others in one if others in common or not common] for point, one in found.items()}
    return numbers, all(len(one) == len(common) for one in found.values())
