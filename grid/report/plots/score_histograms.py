"""Histograms of genuine and impostor scores of each cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grid.report.plots.canvas import Plot, finish, legend, panel_title, panels, stroke
from grid.report.plots.scores import Scored, left_out

BINS = 40


def score_histograms(found: Sequence[Scored], more: int, protocol: str) -> Plot:
    """Densities on common bins, so that cells can be compared."""
    edges = common_edges([one.scores for one in found])
    figure, axes = panels(len(found), 3, (2.3, 1.6), (0.4, 0.5), sharex=True, sharey=True)
    for place, one in zip(axes, found, strict=True):
        for kind, style, name in ((one.same, stroke(0), "genuine"), (~one.same, stroke(1) | {"linestyle": "--"}, "impostor")):
            counts, _ = np.histogram(one.scores[kind], edges, density=True)
            place.stairs(counts, edges, color=style["color"], linestyle=style["linestyle"], linewidth=1.2, label=name)
            place.stairs(counts, edges, color=style["color"], alpha=0.18, fill=True, linewidth=0)
        panel_title(place, one.title)
        place.set_yticks([])
    figure.supxlabel("score", fontsize=9)
    legend(figure, axes[0], ["genuine", "impostor"])
    words = f"The less both overlap, the better the cell separates people. Areas are 1.{left_out(more)}"
    return finish(figure, f"scores {protocol}", f"Scores on {protocol}", words, protocol)


def common_edges(scores: Sequence[np.ndarray]) -> np.ndarray:
    """(BINS + 1,): equal bins over the scores of all cells."""
    low, high = min(float(one.min()) for one in scores), max(float(one.max()) for one in scores)
    return np.linspace(low, high if high > low else low + 1, BINS + 1)
