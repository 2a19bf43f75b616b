"""The saved views of an experiment's page in MLflow: columns, filter and order of its table of runs, and charts.

A view is a tag of the experiment. The address of ``facegrid ui`` names one of them; from MLflow 3.17 on the menu "Views" lists
those that have a name.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from grid.ledger.study import Study
from grid.results.columns import Column
from grid.spec.levels import REPLICATE
from grid.tracking.charts import chart_state
from grid.tracking.groups import names_over_seeds
from grid.tracking.names import safe
from grid.tracking.record import ERROR, HIDDEN, KIND

PREFIX = "mlflow.sharedViewState."
VIEW = "facegrid"  # key of the view that is opened: ``?viewStateShareKey=facegrid`` in an address
TITLE, CELLS_TITLE, FAILED_TITLE = "Factors and results", "Every seed", "What failed"  # names in the menu
LONGEST = 4000  # characters of a state that is stored as it is; servers before MLflow 3.17 allow 5,000 per tag
SHOWN = 8  # number of metrics among the columns
WIDTH = 7.5  # pixels per character in a column header


def views(study: Study, columns: Sequence[tuple[str, Column]]) -> dict[str, str]:
    """Tags of the experiment. The view that is opened has a row per cell, or where there are replicates one per combination of
    levels with means over seeds; then a second view has the cells. The last one has the cells that failed, with their errors.

    Args:
        columns: of results, each with the name of its metric in MLflow
    """
    seeds = REPLICATE in study.axes
    state = _stored(view_state(study, columns, seeds))
    found = {f"{PREFIX}{VIEW}": state, f"{PREFIX}{VIEW}-view": _listed(study, TITLE, state)}
    if seeds:
        found[f"{PREFIX}{VIEW}-cells"] = _listed(study, CELLS_TITLE, _stored(view_state(study, columns, False)))
    found[f"{PREFIX}{VIEW}-failed"] = _listed(study, FAILED_TITLE, _stored(failed_state(study)))
    return found


def _stored(state: Mapping[str, Any]) -> str:
    """A state as a tag: JSON, or where it is long the compressed form that MLflow writes itself."""
    text = json.dumps(state, sort_keys=True)
    if len(text) <= LONGEST:
        return text
    return "deflate;" + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def failed_state(study: Study) -> dict[str, Any]:
    """The cells that failed: factors and error."""
    widths = {f"params.`{safe(axis)}`": _width(max(map(len, [axis, *levels]))) for axis, levels in study.axes.items()}
    widths[f"tags.`{ERROR}`"] = 900
    wanted = f"tags.`{KIND}` = 'cell' and tags.`{HIDDEN}` = 'false' and attributes.status = 'FAILED'"
    order = {"orderByKey": f"tags.`{ERROR}`", "orderByAsc": True}  # by time, MLflow would fold the runs under their parents
    return {
        "selectedColumns": list(widths),
        "columnOrder": list(widths),
        "columnWidths": widths,
        "searchFilter": wanted,
        **order,
    }


def view_state(study: Study, columns: Sequence[tuple[str, Column]], seeds: bool) -> dict[str, Any]:
    """The state of MLflow's table of runs: factors and headline results as columns, the best run first; and its charts.

    Args:
        seeds: rows are combinations of levels, with means over seeds; the first result of each protocol has its interval and
            the number of seeds
    """
    shown = _shown(columns)
    longest = {f"params.`{safe(axis)}`": max(map(len, [axis, *levels])) for axis, levels in study.axes.items()}
    if seeds:
        del longest[f"params.`{REPLICATE}`"]
    protocols = set()
    for key, column in shown:
        first = column.protocol not in protocols
        protocols.add(column.protocol)
        longest |= {
            f"metrics.`{name}`": len(name) for name in (key, *(names_over_seeds(key).values() if seeds and first else ()))
        }
    best = {"orderByKey": f"metrics.`{shown[0][0]}`", "orderByAsc": shown[0][1].lower_is_better} if shown else {}
    widths = {column: _width(length) for column, length in longest.items()}
    chosen = {"selectedColumns": list(longest), "columnOrder": list(longest), "columnWidths": widths}
    wanted = f"tags.`{KIND}` = '{'group' if seeds else 'cell'}' and tags.`{HIDDEN}` = 'false'"
    return {**chosen, **best, "searchFilter": wanted, **chart_state(study, shown, columns, seeds)}


def _width(length: int) -> int:
    return round(WIDTH * (length + 4))


def _listed(study: Study, name: str, state: str) -> str:
    """A view state in the form that MLflow's menu lists."""
    made = round(1000 * (study.record.get("launched") or 0))
    return json.dumps({"name": name, "createdAt": made, "updatedAt": made, "state": state}, sort_keys=True)


def _shown(columns: Sequence[tuple[str, Column]]) -> list[tuple[str, Column]]:
    """``SHOWN`` headline columns: the first of every stage before the others of any."""
    headlines = [one for one in columns if one[1].headline]
    firsts = list({column.protocol: (key, column) for key, column in reversed(headlines)}.values())
    kept = sorted(headlines, key=lambda one: one not in firsts)[:SHOWN]
    return [one for one in headlines if one in kept]
