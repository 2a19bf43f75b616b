"""The numbers of all cells that the interactive charts show, as one JSON text inside the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.analysis.records import cell_name
from grid.ledger.study import Study
from grid.report.charts import DASHES, Stroke
from grid.report.curves import pair_scores
from grid.report.interactive.costs import costs
from grid.report.interactive.curve_points import curve_points, rounded
from grid.report.plots.score_histograms import common_edges
from grid.results.combinations import content
from grid.results.rows import Row, Table
from grid.spec.levels import REPLICATE, other_levels
from modules.metrics.roc import Curve

MOST_POINTS = 400_000  # of all curves of the page together: about 8 MB
FEWEST_POINTS = 100  # of one curve
KINDS = ("train_", "validation_")  # what a history says of an epoch


@dataclass(frozen=True)
class ChartData:
    """What the charts of a page show.

    Attributes:
        text: JSON; cells are numbered by their rows in the table.
        protocols: those of which a cell has a number.
        curves: those that compare pairs and of which a cell has scores.
        costs: the cost of a cell with a number is known.
        histories: a training has finished an epoch.
    crossed: two factors vary, so there are interactions.
    """

    text: str
    protocols: tuple[str, ...]
    curves: tuple[str, ...]
    costs: bool
    histories: bool
    crossed: bool


def chart_data(
    study: Study, table: Table, strokes: Sequence[Stroke], histories: Sequence[Sequence[Mapping[str, Any]]]
) -> ChartData | None:
    """The numbers of all charts; None if no cell has a number or an epoch.

    Args:
        strokes: the line of each row.
        histories: the epochs of each row's training so far.
    """
    metrics, curves, epochs = _metrics(table), _curves(study, table), _histories(histories)
    if not metrics and not epochs:
        return None
    prices = costs(table)
    varied = [one for one in table.factors if len(one.levels) > 1 and one.axis != REPLICATE]
    data = {
        "cells": [_cell(row, stroke) for row, stroke in zip(table.rows, strokes, strict=True)],
        "dashes": [[int(part) for part in dash.split()] for dash in DASHES],
        "factors": [{"axis": one.axis, "title": one.title, "levels": list(one.levels)} for one in varied],
        "metrics": metrics,
        "costs": [{"title": title, "values": _numbers(values)} for title, values in prices.items()],
        "curves": curves,
        "histories": epochs,
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    protocols = tuple(dict.fromkeys(one["protocol"] for one in metrics))
    return ChartData(text, protocols, tuple(curves), bool(metrics and prices), bool(epochs), len(varied) > 1)


def _cell(row: Row, stroke: Stroke) -> dict[str, Any]:
    levels = dict(row.cell.levels)
    return {"name": cell_name(levels), "levels": levels, "hue": stroke.hue, "dash": DASHES.index(stroke.dash)}


def _metrics(table: Table) -> list[dict[str, Any]]:
    """Every column with a number, by row: value and ends of the 95 % interval. ``main`` orders the cells of a protocol.
    ``copies``: row -> the earlier replicate whose results it repeats.
    """
    found = []
    for protocol in table.protocols:
        columns = [one for one in table.under(protocol) if any(row.number(one) is not None for row in table.rows)]
        if not columns:
            continue
        main = next((one for one in columns if one.headline), columns[0])
        copies = _copies(table, protocol)
        for column in columns:
            results = [row.value(column) for row in table.rows]
            found.append(
                {
                    "protocol": protocol,
                    "title": column.title,
                    "scale": 100 if column.percent else 1,
                    "digits": column.digits,
                    "lower": column.lower_is_better,
                    "main": column is main,
                    "copies": copies,
                    "values": _numbers([getattr(one, "value", None) for one in results]),
                    "low": _numbers([getattr(one, "low", None) for one in results]),
                    "high": _numbers([getattr(one, "high", None) for one in results]),
                }
            )
    return found


def _copies(table: Table, protocol: str) -> dict[int, int]:
    firsts: dict[tuple[Any, ...], int] = {}
    found = {}
    for n, row in enumerate(table.rows):
        if protocol in row.metrics:
            first = firsts.setdefault((*other_levels(row.cell.levels).items(), content(row, protocol)), n)
            if first != n:
                found[n] = first
    return found


def _curves(study: Study, table: Table) -> dict[str, Any]:
    """For each protocol that compares pairs: curves and histograms of the cells with scores, by number of the row."""
    found: dict[str, Any] = {}
    most = max(FEWEST_POINTS, MOST_POINTS // max(1, len(table.rows) * len(table.compared)))
    for protocol in table.compared:
        scores = {n: one for n, row in enumerate(table.rows) if (one := pair_scores(study, row, protocol)) is not None}
        if not scores:
            continue
        edges = common_edges([one for one, _ in scores.values()])
        cells = {}
        for n, (values, same) in scores.items():
            counts = [np.histogram(values[kind], edges, density=True)[0] for kind in (same, ~same)]
            curve = Curve.of(values, same)
            cells[n] = curve_points(curve, most) | {
                "genuine": _numbers(counts[0]),
                "impostor": _numbers(counts[1]),
                "pairs": [curve.genuine, curve.impostor],
            }
        found[protocol] = {"edges": _numbers(edges), "cells": cells}
    return found


def _histories(histories: Sequence[Sequence[Mapping[str, Any]]]) -> dict[int, dict[str, list[float | None]]]:
    """Row -> quantity -> its value after each epoch."""
    found = {}
    for n, epochs in enumerate(histories):
        keys = dict.fromkeys(key for one in epochs for key in one if key.startswith(KINDS))
        values = {key: _numbers([one.get(key) for one in epochs]) for key in keys}
        if values := {key: some for key, some in values.items() if any(one is not None for one in some)}:
            found[n] = values
    return found


def _numbers(values: Any) -> list[float | None]:
    return [rounded(one) if isinstance(one, (int, float, np.number)) and math.isfinite(one) else None for one in values]
