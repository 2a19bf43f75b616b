"""Cells by their value, joined where they do not differ significantly (after Demsar, JMLR 7, 2006, Figure 1).

Demsar's diagram compares mean ranks over many data sets by one critical difference. Here each two cells have a paired test of
their own, so cells stand at their values, and a bar joins a run of neighbors of which no two differ significantly.
"""

from __future__ import annotations

from grid.analysis import words
from grid.analysis.analysis import MetricAnalysis, ProtocolAnalysis
from grid.analysis.records import cell_name
from grid.report.plots.canvas import INK, LINE, SOFT, Plot, finish, new, text, wrapped

MOST = 24


def critical_differences(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> Plot:
    """The diagram of one metric; the best cell is at the top."""
    found, column = metric.comparisons, metric.column
    assert found is not None
    order = found.compared[:MOST]
    scale = 100 if column.percent else 1
    runs = [run for run in found.tied if len(run) > 1]
    names = [wrapped(cell_name(protocol.cells[cell]), 3.0) for cell in order]
    figure, ((axes,),) = new(6.6, 0.9 + (0.4 if any("\n" in name for name in names) else 0.26) * len(order))
    best = max(found.values[cell] * scale for cell in order)
    worst = min(found.values[cell] * scale for cell in order)
    width = (best - worst) or 1.0
    for place, cell in enumerate(order):
        value = found.values[cell] * scale
        axes.plot([worst - 0.06 * width, value], [place, place], color=LINE, lw=0.8, zorder=1)
        axes.plot([value], [place], "o", color=INK, ms=4, zorder=3)
    rank = {cell: place for place, cell in enumerate(order)}
    for number, run in enumerate(runs):
        here = [rank[cell] for cell in run if cell in rank]
        if len(here) > 1:
            x = best + (0.05 + 0.035 * number) * width
            axes.plot([x, x], [here[0] - 0.18, here[-1] + 0.18], color=SOFT, lw=3, solid_capstyle="butt")
    labels = [f"{name}  {column.text(found.values[cell])}" for name, cell in zip(names, order, strict=True)]
    axes.set_yticks(range(len(order)), labels)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines[["left"]].set_visible(False)
    axes.set(ylim=(len(order) - 0.4, -0.6), xlabel=text(column.heading))
    said = "; ".join(words.tied(found))
    more = f" The best {MOST} of {len(found.order)} cells." if len(found.order) > MOST else ""
    about = f"Bars join cells of which no two differ significantly. By rank: {said}.{words.compared(found)}{more}"
    name = f"differences {column.key} {protocol.protocol}"
    return finish(figure, name, f"Which cells differ: {column.title} on {protocol.protocol}", about, protocol.protocol)
