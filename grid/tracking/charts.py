"""The charts of a saved view: few, chosen, and above the charts that MLflow draws of every metric, which start folded.

The names of keys and values are those of MLflow's pages (the classes of chart cards in its ``experiment-tracking`` front end).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grid.ledger.study import Study
from grid.results.columns import Column
from grid.spec.levels import REPLICATE
from grid.spec.stage_kind import TRAIN, known_kind
from grid.tracking.names import safe

SECTION = "At a glance"
BARS = 20  # runs in a bar chart: the first ones of the table
DOTS = 1000  # runs in other charts
HEIGHT = 400  # of a chart, in pixels
SYSTEM, OTHERS = "System metrics", "Model metrics"  # MLflow's own sections
Columns = Sequence[tuple[str, Column]]  # results, each with the name of its metric in MLflow


def chart_state(study: Study, shown: Columns, columns: Columns, seeds: bool) -> dict[str, Any]:
    """The part of a view's state that describes its charts.

    Args:
        shown: results among the columns of the table, the most important first
        columns: all results that are logged
        seeds: rows are combinations of levels; they have no learning curves
    """
    factors = [safe(axis) for axis in study.axes if axis != REPLICATE]
    charts = _charts(factors, shown)
    if not seeds:
        charts.insert(1, _curve())
    for number, chart in enumerate(charts):
        chart |= {"uuid": f"facegrid-{number}", "metricSectionId": _section(SECTION), "deleted": False, "isGenerated": False}
    groups = {key.rpartition("/")[0] for key, _ in columns}
    groups |= {f"{group} over seeds" for group in groups} if seeds else {_curves()}
    names = [SECTION, *sorted(groups - {""}), OTHERS, SYSTEM]
    sections = [
        {
            "uuid": _section(name), "name": name, "display": name == SECTION, "isReordered": False, "deleted": False,
            "isGenerated": name != SECTION, "columns": 2, "cardHeight": HEIGHT,
        }
        for name in names
    ]  # fmt: skip
    return {
        "compareRunCharts": charts, "compareRunSections": sections, "isAccordionReordered": True,
        "runsHiddenMode": "FIRST_20_RUNS",
    }  # fmt: skip


def _charts(factors: Sequence[str], shown: Columns) -> list[dict[str, Any]]:
    if not shown:
        return []
    (first, _), *others = shown
    found: list[dict[str, Any]] = []
    if factors:
        found.append(
            {
                "type": "PARALLEL", "runsCountToCompare": DOTS,
                "selectedParams": list(factors), "selectedMetrics": [first], "showAllRuns": True,
            }
        )  # fmt: skip
    found += [{"type": "BAR", "metricKey": key, "displayName": key, "runsCountToCompare": BARS} for key, _ in shown[:2]]
    if others:
        found.append({"type": "SCATTER", "xaxis": _axis(others[-1][0]), "yaxis": _axis(first), "runsCountToCompare": DOTS})
    return found


def _axis(key: str) -> dict[str, str]:
    return {"key": key, "type": "METRIC"}


def _curve() -> dict[str, Any]:
    key = f"{_curves()}/validation_loss"
    plain: Mapping[str, Any] = {"lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step", "yAxisKey": "metric"}
    return {"type": "LINE", "metricKey": key, "runsCountToCompare": BARS, **plain}


def _curves() -> str:
    return safe(known_kind(TRAIN.kind).curves)


def _section(name: str) -> str:
    return f"facegrid-{safe(name)}"
