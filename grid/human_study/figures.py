"""The figures of a human study, after Zhong and Deng (ICPR 2018), Figs. 8, 9 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grid.figure_png import figure_png, literal
from grid.human_study.analysis import Analysis, Sample
from grid.human_study.design import Group
from grid.human_study.sensitivity import roc
from grid.report.plots.canvas import COLORS

DPI = 110
FIRST, SECOND = "#9aa4ae", COLORS[0]  # colors of the two passes


def bars(analysis: Analysis, sample: Sample) -> bytes:
    """Fig. 8: mean and standard deviation of the participants' accuracy in each group and pass, and the network's. PNG."""
    figure = _figure(7.2, 3.4)
    axes = figure.subplots()
    names, heights, spreads, colors = ["network"], [100 * analysis.network], [0.0], [COLORS[7]]
    for line in sample.lines:
        names.append(line.letter + ("+" if line.number == 2 else ""))
        heights.append(100 * line.mean)
        spreads.append(100 * (line.deviation or 0.0))
        colors.append(FIRST if line.number == 1 else SECOND)
    axes.bar(range(len(names)), heights, yerr=spreads, color=colors, capsize=4, width=0.65)
    axes.set_xticks(range(len(names)), names)
    low = min(height - spread for height, spread in zip(heights, spreads, strict=True))
    axes.set_ylim(max(0.0, 10 * np.floor(low / 10) - 10), 100)
    axes.set_ylabel("accuracy [%]")
    axes.grid(axis="y", color="#e4e5e8", lw=0.8)
    axes.set_axisbelow(True)
    return _png(figure)


def scatter(analysis: Analysis, sample: Sample) -> bytes:
    """Fig. 9: each participant's accuracy in the first pass and in the second, one panel per group. PNG."""
    groups = analysis.design.groups
    figure = _figure(2.6 * len(groups) + 0.6, 2.9)
    low = 100 * float(min(sample.judgments.accuracy.min(initial=0.5), 0.5))
    for axes, group in _panels(figure, groups):
        values = 100 * sample.judgments.accuracy[sample.judgments.letters == group.letter]
        axes.plot([low, 100], [low, 100], color="#8b949e", lw=0.8)
        axes.scatter(values[:, 0], values[:, 1], s=22, facecolors="none", edgecolors=SECOND, lw=1.2)
        axes.set(xlim=(low, 100), ylim=(low, 100), xlabel=f"{group.letter} [%]", ylabel=f"{group.letter}+ [%]")
        axes.set_aspect("equal")
    return _png(figure)


def curves(analysis: Analysis, sample: Sample) -> bytes:
    """Fig. 10: the ROC curve of each participant in the first pass (gray) and in the second, one panel per group. PNG."""
    groups = analysis.design.groups
    figure = _figure(2.6 * len(groups) + 0.6, 2.9)
    for axes, group in _panels(figure, groups):
        for choices in sample.judgments.choices[sample.judgments.letters == group.letter]:
            for number, color in enumerate((FIRST, SECOND)):
                curve = roc(choices[number], sample.judgments.same)
                axes.plot(curve.far, curve.tar, color=color, lw=0.9, alpha=0.7)
        axes.plot([0, 1], [0, 1], color="#d0d7de", lw=0.8, zorder=0)
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel='"same" of impostor pairs', ylabel='"same" of genuine pairs')
        axes.set_aspect("equal")
    return _png(figure)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=DPI, layout="constrained")


def _panels(figure: Any, groups: Sequence[Group]) -> list[tuple[Any, Group]]:
    found = list(zip(figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True))
    for axes, group in found:
        axes.set_title(literal(f"{group.letter}  {group.title}"), loc="left", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.xaxis.label.set_size(8)
        axes.yaxis.label.set_size(8)
    return found


def _png(figure: Any) -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure_png(figure)
