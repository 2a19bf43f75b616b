"""The analysis of a study as Markdown, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grid.analysis import words
from grid.analysis.analysis import MetricAnalysis, ProtocolAnalysis
from grid.analysis.comparisons import LEVEL, Comparison, Comparisons
from grid.analysis.records import cell_name, comparison_records, component_records, effect_records, matrix_records
from grid.report.latex import latex_file, latex_lines
from grid.report.markdown import pipe_table, plain
from grid.results.columns import Column
from modules.metrics.paired_tests import Estimate

SHOWN = 20  # of the best cells in a printed matrix; every compared pair is in comparisons.csv


def analysis_json(found: Sequence[ProtocolAnalysis]) -> dict[str, Any]:
    """Everything, with fractions from 0 to 1."""
    return {
        "effects": effect_records(found),
        "components": component_records(found),
        "comparisons": comparison_records(found),
        "matrices": matrix_records(found),
        "limits": {one.protocol: list(words.limits(one)) for one in found},
    }


def components_latex(found: Sequence[ProtocolAnalysis], name: str) -> str:
    """A table per protocol: sources of variation by metric, as standard deviations in points or, without %, as they are."""
    tables = []
    for one in found:
        sources = dict.fromkeys(source for metric in one.metrics for source in metric.effects.components)
        lines = [[source, *(_component(metric, source) for metric in one.metrics)] for source in sources]
        caption = f"{name}: how far numbers move on {one.protocol}, as standard deviations, by source."
        tables.append(
            latex_lines(caption, ["Source", *(metric.column.heading for metric in one.metrics)], lines, len(one.metrics))
        )
    return latex_file(tables)


def _component(metric: MetricAnalysis, source: str) -> str:
    found = metric.effects.components.get(source)
    return "–" if found is None else words.difference(metric.column, found).lstrip("+")


def analysis_markdown(found: Sequence[ProtocolAnalysis], name: str) -> str:
    """Both sections of the page; ends with a line break."""
    lines = [f"# {plain(name)}: effects and comparisons"]
    for one in found:
        lines += ["", f"## {plain(one.protocol)}", "", *(f"* {plain(limit)}" for limit in words.limits(one))]
        for metric in one.metrics:
            lines += ["", f"### {plain(metric.column.title)}", "", plain(words.verdict(one, metric)), ""]
            if metric.effects.terms:
                lines += pipe_table(EFFECT_HEAD, ([*map(plain, row)] for row in effect_rows(metric)), "llrrrr")
            if metric.comparisons:
                lines += ["", plain(words.ranking(one, metric)), ""]
                lines += [f"{place}. {plain(text)}" for place, text in enumerate(ranked(one, metric), 1)]
                lines += ["", f"By rank: {plain('; '.join(words.tied(metric.comparisons)))}."]
                lines += _significant(one, metric)
    return "\n".join(lines) + "\n"


def _significant(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> list[str]:
    """The pairs of cells that differ, the largest differences first: lines of Markdown."""
    found = _compared(metric)
    pairs = [pair for pair in found.pairs if pair.differs]
    if not pairs:
        return []
    lines = ["", "Significant differences (p with Holm's correction, intervals without):", ""]
    for pair in sorted(pairs, key=lambda pair: -abs(pair.difference.value))[:SHOWN]:
        better, other = (cell_name(protocol.cells[cell]) for cell in (pair.first, pair.second))
        by = words.difference(metric.column, pair.difference.value) + words.unit(metric.column)
        low, high = (words.difference(metric.column, end) for end in (pair.difference.low, pair.difference.high))
        p = words.probability(pair.adjusted)
        lines.append(f"* {plain(f'{better} better than {other}: {by}, 95 % interval {low} to {high}; p {p}')}")
    return lines + ([f"* {len(pairs) - SHOWN} more in comparisons.csv"] if len(pairs) > SHOWN else [])


EFFECT_HEAD = ["Factor", "Effects of its levels", "Spread", "Share", "p, other subjects", "p, other seeds"]


def effect_rows(metric: MetricAnalysis) -> list[list[str]]:
    """The fields of ``EFFECT_HEAD`` for each term; p values are Holm's."""
    rows = []
    for term in metric.effects.terms:
        levels = (f"{' x '.join(one.levels)} {words.difference(metric.column, one.value)}" for one in term.levels)
        judged = ["–" if one is None else words.probability(one.adjusted) for one in (term.items, term.seeds)]
        spread = words.difference(metric.column, term.deviation).lstrip("+")
        rows.append([term.label, ", ".join(levels), spread, f"{100 * term.eta_squared:.0f} %", *judged])
    return rows


def ranked(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> list[str]:
    """Each cell with its value, best first."""
    found, column = _compared(metric), metric.column
    return [f"{cell_name(protocol.cells[cell])}: {column.text(found.values[cell])}{column.unit}" for cell in found.order]


def shown(metric: MetricAnalysis) -> tuple[int, ...]:
    """The cells of a printed matrix, best first: the first ``SHOWN``, and those that were asked for."""
    found = _compared(metric)
    return tuple(cell for place, cell in enumerate(found.compared) if place < SHOWN or cell in found.asked)


def matrix(metric: MetricAnalysis) -> list[list[tuple[str, str, str]]]:
    """(difference row minus column, kind, explanation) of any two cells shown; kind is better, worse, equal, open or self."""
    found, order = _compared(metric), shown(metric)
    return [
        [("", "self", "") if one == other else _field(metric.column, found, found.between(one, other), one) for other in order]
        for one in order
    ]


def _field(column: Column, found: Comparisons, pair: Comparison, one: int) -> tuple[str, str, str]:
    first = pair.first == one
    sign = 1 if first else -1
    kind = "open"
    if pair.differs:
        kind = "better" if first else "worse"
    elif pair.equivalent < LEVEL:
        kind = "equal"
    ends = sorted((sign * pair.difference.low, sign * pair.difference.high))
    check = ""
    if pair.check:
        p, adjusted = (words.probability(one) for one in (pair.check.p, pair.check.adjusted))
        check = f"; {pair.check.test}: p {p}, {adjusted} after Holm"
    about = (
        f"95 % interval {words.difference(column, ends[0])} to {words.difference(column, ends[1])}; p "
        f"{words.probability(pair.difference.p)}, {words.probability(pair.adjusted)} after Holm; not larger than "
        f"{words.difference(column, found.margin).lstrip('+')}: p {words.probability(pair.equivalent)}{check}"
    )
    return words.difference(column, sign * pair.difference.value), kind, about


def interval(column: Column, found: Estimate | None) -> str:
    """``[−0.12, +0.34]``; empty if there is none."""
    return "" if found is None else f"[{words.difference(column, found.low)}, {words.difference(column, found.high)}]"


def _compared(metric: MetricAnalysis) -> Comparisons:
    assert metric.comparisons is not None, metric.column
    return metric.comparisons
