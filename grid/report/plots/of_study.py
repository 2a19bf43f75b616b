"""Every figure of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from grid.analysis.analysis import ProtocolAnalysis
from grid.ledger.study import Study
from grid.report import curves
from grid.report.plots.accuracy_cost import accuracy_cost
from grid.report.plots.canvas import Plot
from grid.report.plots.critical_differences import critical_differences
from grid.report.plots.error_curves import det_curves, rate_curves, roc_curves
from grid.report.plots.hiding_game import hiding_games
from grid.report.plots.interactions import interactions
from grid.report.plots.learning_curves import learning_curves
from grid.report.plots.parallel import parallel
from grid.report.plots.score_histograms import score_histograms
from grid.report.plots.scores import scored
from grid.results.combinations import grouped
from grid.results.explanation_scores import explanation_scores
from grid.results.rows import Table

OF_ONE = ("roc", "det", "rates", "scores", "parallel", "hiding")  # kinds that draw one replicate of each cell
ONE = " Of replicates, the first with results is drawn."


def plots(study: Study, table: Table, analyses: Sequence[ProtocolAnalysis]) -> list[Plot]:
    """The figures that a study has data for; of the metrics, the first of each protocol is drawn."""
    found: list[Plot | None] = []
    for one in analyses:
        metric = one.metrics[0]
        found += [critical_differences(one, metric)] if metric.comparisons else []
        found.append(interactions(one, metric))
    for protocol in table.compared:
        cells, more = scored(study, table, protocol)
        if cells:
            found += [draw(cells, more, protocol) for draw in (roc_curves, det_curves, rate_curves, score_histograms)]
    found.append(learning_curves(table.rows, [curves.history(study, row) for row in table.rows]))
    for protocol in table.protocols:
        found += [accuracy_cost(table, table.under(protocol)[0]), parallel(table, protocol)]
    found += hiding_games(explanation_scores(study, table.rows))
    several = len(grouped(table.rows)) < len(table.rows)
    return distinct([replace(one, words=one.words + ONE * (several and one.kind in OF_ONE)) for one in found if one])


def distinct(found: Sequence[Plot]) -> list[Plot]:
    """The figures with distinct names, which are those of their files: titles that differ may give equal names."""
    named: dict[str, Plot] = {}
    for plot in found:
        name, number = plot.name, 2
        while name in named:
            name, number = f"{plot.name}-{number}", number + 1
        named[name] = replace(plot, name=name)
    return list(named.values())
