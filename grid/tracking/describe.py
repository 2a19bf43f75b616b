"""Descriptions of runs and of the experiment on MLflow's pages, and the default columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grid.ledger.study import CellView, Study
from grid.results.columns import Column
from grid.results.result import Result
from grid.spec.measure import entry_of
from grid.spec.stage_kind import TRAIN, StageName, known_kind
from grid.spec.yaml_source import get
from grid.tracking.metrics import columns_logged
from grid.tracking.names import safe
from grid.tracking.record import targets_in

VIEW = "facegrid"  # key of the shared view: ``?viewStateShareKey=facegrid`` in an address
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
LISTED_TAG = f"{VIEW_TAG}-view"  # the same view for the menu "Views" of MLflow from 3.17 on; earlier ones ignore it
TITLE = "Factors and results"  # its name there
SHOWN = 8  # number of metrics among the columns of that view
WIDTH = 7.5  # pixels per character in a column header
ARTIFACTS = """Artifacts: `config.json` has every resolved setting, `stages.json` what was computed, `metrics/` all numbers of
the evaluations, `scores/` the score of each pair, `explanations/` maps and images. The run `report` has the tables and figures
of the whole study."""
Results = Mapping[StageName, Mapping[str, Any]]  # of every stage with results in tables


def run_note(study: Study, cell: CellView, results: Results) -> str:
    """Markdown: the cell, how it was trained, its results with their 95 % intervals."""
    lines = [f"A cell of the grid **{study.name}**: {cell.title}", "", "| setting | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _settings(cell)]
    for label, result in results.items():
        heading = known_kind(label.kind).heading(label)
        lines += ["", f"| {_plain(heading)} | value | 95 % interval |", "|---|---|---|"]
        for column in columns_logged(label, result):
            entry = entry_of(result, column.key) or {}
            numbers = {key: entry.get(key) for key in ("value", "low", "high")}
            value = Result(cell.id, cell.levels, None, label.kind, column.key, **numbers)
            if value.value is not None:
                lines.append(f"| {_plain(column.title)} | {column.value(value)}{column.unit} | {column.spread(value)} |")
    lines += ["", ARTIFACTS]
    return "\n".join(lines)


def experiment_note(study: Study) -> str:
    """Markdown: the grid's factors, and how to read the runs."""
    lines = [f"The face-recognition grid **{study.name}**: one run per cell.", "", "| factor | levels |", "|---|---|"]
    lines += [f"| {_plain(axis)} | {_plain(', '.join(levels))} |" for axis, levels in study.axes.items()]
    lines += [
        "", "Params are the factors and a few settings; `config.json` of a run has all of them. Metrics are grouped by "
        "protocol, after the learning curves. The run `report` has the tables and figures; `facegrid ui` opens this page with "
        f"the factors and the main results as columns, as does **{TITLE}** under Views.",
    ]  # fmt: skip
    return "\n".join(lines)


def view_state(study: Study, columns: Sequence[tuple[str, Column]]) -> str:
    """The state of MLflow's table of runs, as JSON: factors and headline results as columns, the best run first.

    Args:
        columns: each with the name of its metric in MLflow
    """
    shown = _shown(columns)
    longest = {f"params.`{safe(axis)}`": max(map(len, [axis, *levels])) for axis, levels in study.axes.items()}
    longest |= {f"metrics.`{key}`": len(key) for key, _ in shown}
    best = {"orderByKey": f"metrics.`{shown[0][0]}`", "orderByAsc": shown[0][1].lower_is_better} if shown else {}
    widths = {column: round(WIDTH * (length + 4)) for column, length in longest.items()}
    chosen = {"selectedColumns": list(longest), "columnOrder": list(longest), "columnWidths": widths}
    return json.dumps(chosen | best, sort_keys=True)


def listed_view(study: Study, state: str) -> str:
    """A view state in the form that MLflow's menu of saved views lists, with its name."""
    made = round(1000 * (study.record.get("launched") or 0))
    return json.dumps({"name": TITLE, "createdAt": made, "updatedAt": made, "state": state}, sort_keys=True)


def _shown(columns: Sequence[tuple[str, Column]]) -> list[tuple[str, Column]]:
    """``SHOWN`` headline columns: the first of every stage before the others of any."""
    headlines = [one for one in columns if one[1].headline]
    firsts = list({column.protocol: (key, column) for key, column in reversed(headlines)}.values())
    kept = sorted(headlines, key=lambda one: one not in firsts)[:SHOWN]
    return [one for one in headlines if one in kept]


def _settings(cell: CellView) -> list[tuple[str, str]]:
    found = {
        "data": get(cell.config, "data.name"),
        "detector": get(cell.config, "detector.name"),
        "backbone": get(cell.config, "backbone.name"),
        "head": get(cell.config, "head.name"),
        "targets": targets_in(cell.config) or None,
        "loss": get(cell.config, "loss.name"),
        "pretraining": get(cell.config, "pretraining.name"),
        "recipe": get(cell.config, "recipe.name"),
        "epochs": get(cell.config, "recipe.epochs"),
        "seed": cell.config.get("seed"),
    }
    if trained := cell.markers.get(TRAIN):
        facts = trained.facts
        found |= {"training images": facts.get("images"), "training classes": facts.get("classes")}
        found |= {"parameters": facts.get("parameters"), "trained in": f"{trained.finished - trained.started:.0f} s"}
    if cell.state == "failed":
        found["failed in"] = cell.reason
    return [(name, _plain(str(value))) for name, value in found.items() if value is not None]


def _plain(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
