"""The analysis as flat records, one per effect and one per pair of cells: the rows of CSV files and data frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from grid.analysis.analysis import ProtocolAnalysis
from grid.analysis.comparisons import Comparisons
from grid.analysis.effects import Judgment, named
from grid.results.columns import listed
from modules.metrics.paired_tests import Estimate


def effect_records(found: Sequence[ProtocolAnalysis]) -> list[dict[str, Any]]:
    """A record per effect of a level or a combination of two levels, with the tests of its term."""
    return [record for protocol in found for record in _effects(protocol)]


def comparison_records(found: Sequence[ProtocolAnalysis]) -> list[dict[str, Any]]:
    """A record per metric and pair of cells."""
    return [record for protocol in found for record in _comparisons(protocol)]


def component_records(found: Sequence[ProtocolAnalysis]) -> list[dict[str, Any]]:
    """A record per metric and source of variation."""
    return [
        {"protocol": one.protocol, "metric": metric.column.key, "source": source, "deviation": deviation}
        for one in found
        for metric in one.metrics
        for source, deviation in metric.effects.components.items()
    ]


def matrix_records(found: Sequence[ProtocolAnalysis]) -> list[dict[str, Any]]:
    """A record per metric: the compared cells, best first, their differences as matrices (row minus column) and tied sets."""
    return [
        _matrix(one, metric.column.key, compared) for one in found for metric in one.metrics if (compared := metric.comparisons)
    ]


def cell_name(levels: Any) -> str:
    """``resnet34, mtcnn``: the levels of a cell without the names of the axes; those with a comma are quoted."""
    return listed(levels.values()) or "the only cell"


def _effects(protocol: ProtocolAnalysis) -> Iterator[dict[str, Any]]:
    for metric in protocol.metrics:
        for term in metric.effects.terms:
            for level in term.levels:
                yield {
                    "protocol": protocol.protocol,
                    "metric": metric.column.key,
                    "term": term.name,
                    "aliased_with": ", ".join(map(named, term.aliases)),
                    "level": " x ".join(level.levels),
                    "cells": level.cells,
                    "effect": level.value,
                    **_interval("items", level.items),
                    **_interval("seeds", level.seeds),
                    "deviation": term.deviation,
                    "eta_squared": term.eta_squared,
                    "partial_eta_squared": term.partial_eta_squared,
                    **_judged("items", term.items),
                    **_judged("seeds", term.seeds),
                }


def _comparisons(protocol: ProtocolAnalysis) -> Iterator[dict[str, Any]]:
    for metric in protocol.metrics:
        if (found := metric.comparisons) is None:
            continue
        for pair in found.pairs:
            yield {
                "protocol": protocol.protocol,
                "metric": metric.column.key,
                "better": cell_name(protocol.cells[pair.first]),
                "other": cell_name(protocol.cells[pair.second]),
                "difference": pair.difference.value,
                **uncertainty(pair.difference),
                "adjusted": pair.adjusted,
                "margin": found.margin,
                "equivalent": pair.equivalent,
                "check": pair.check.test if pair.check else None,
                "check_p": pair.check.p if pair.check else None,
                "check_adjusted": pair.check.adjusted if pair.check else None,
            }


def _matrix(protocol: ProtocolAnalysis, metric: str, found: Comparisons) -> dict[str, Any]:
    cells = found.compared
    names = {cell: cell_name(protocol.cells[cell]) for cell in cells}
    signs = [[(one == found.between(one, other).first) * 2 - 1 if one != other else 0 for other in cells] for one in cells]
    pairs = [[found.between(one, other) if one != other else None for other in cells] for one in cells]
    return {
        "protocol": protocol.protocol,
        "metric": metric,
        "cells": list(names.values()),
        "of": len(found.order),
        "values": [found.values[cell] for cell in cells],
        "differences": [
            [sign * pair.difference.value if pair else 0.0 for sign, pair in zip(*both, strict=True)]
            for both in zip(signs, pairs, strict=True)
        ],
        "adjusted": [[pair and pair.adjusted for pair in row] for row in pairs],
        "equivalent": [[pair and pair.equivalent for pair in row] for row in pairs],
        "tied": [[names[cell] for cell in run] for run in found.tied],
    }


def uncertainty(found: Estimate | None) -> dict[str, float | None]:
    """The interval and p of an estimate; None where there is none."""
    return {key: getattr(found, key, None) for key in ("low", "high", "p")}


def _interval(name: str, found: Estimate | None) -> dict[str, float | None]:
    return {f"{name}_low": found.low if found else None, f"{name}_high": found.high if found else None}


def _judged(name: str, found: Judgment | None) -> dict[str, float | None]:
    return {f"{name}_p": found.p if found else None, f"{name}_adjusted": found.adjusted if found else None}
