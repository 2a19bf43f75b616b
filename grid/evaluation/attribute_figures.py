"""Figures of an attribute evaluation, drawn from its ``metrics.json``: confusion matrices and reliability curves, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from grid.figure_png import figure_png, literal

DPI = 130
MOST_CLASSES = 24  # a confusion matrix with more classes is not drawn
INK, SOFT, COLOR = "#1b1c20", "#5d616b", "#0072b2"


def attribute_figures(found: Mapping[str, Any]) -> dict[str, bytes]:
    """``<target> confusion`` and ``<target> reliability`` of every target with classes; of over ``MOST_CLASSES`` no confusion.

    Args:
        found: ``metrics.json`` of task ``attributes``
    """
    drawn: dict[str, bytes] = {}
    for name, one in found["targets"].items():
        if classes := list(one.get("per_class", ())):
            if len(classes) <= MOST_CLASSES:
                drawn[f"{name} confusion"] = figure_png(confusion(name, classes, np.array(one["confusion"])), dpi=DPI)
            drawn[f"{name} reliability"] = figure_png(reliability(name, one["ece"], one["reliability"]), dpi=DPI)
    return drawn


def confusion(name: str, classes: Sequence[str], counts: np.ndarray) -> Any:
    """Matplotlib figure of a confusion matrix: counts and shares of the true class; the color is the share.

    Args:
        name: of the target
        classes: K names
        counts: int (K, K), rows are true classes
    """
    from matplotlib.figure import Figure

    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 1.6 + 0.55 * len(classes)
    figure = Figure((side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        words = f"{count}\n{100 * share:.0f} %"
        axes.text(column, row, words, ha="center", va="center", fontsize=7, color="white" if share > 0.6 else INK)
    names = [literal(one) for one in classes]
    axes.set_xticks(range(len(classes)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(classes)), names, fontsize=8)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(f"{literal(name)}: images, and percent of the true class", fontsize=9)
    return figure


def reliability(name: str, ece: Mapping[str, Any], bins: Sequence[Mapping[str, Any]]) -> Any:
    """Matplotlib figure of a reliability curve with the 95 % interval of each bin's accuracy, and the images of the bins.

    Args:
        name: of the target
        ece: entry of the expected calibration error
        bins: as ``modules.metrics.calibration`` returns them
    """
    from matplotlib.figure import Figure

    figure = Figure((4.6, 5.2), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    confidence, accuracy = [one["confidence"] for one in bins], [one["accuracy"] for one in bins]
    value, low, high = (np.array([one[key] for one in accuracy]) for key in ("value", "low", "high"))
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
    axes.errorbar(confidence, value, yerr=np.maximum([value - low, high - value], 0), fmt="o-", color=COLOR, capsize=3, ms=4)
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of correct images")
    below.bar(
        [one["from"] for one in bins],
        [one["n"] for one in bins],
        [one["to"] - one["from"] for one in bins],
        align="edge",
        color=COLOR,
        alpha=0.5,
    )
    below.set(xlabel="confidence", ylabel="images")
    interval = f", 95 % interval {100 * ece['low']:.1f} to {100 * ece['high']:.1f}" if ece.get("low") is not None else ""
    axes.set_title(f"{literal(name)}: ECE {100 * ece['value']:.1f} %{interval}", fontsize=9)
    return figure
