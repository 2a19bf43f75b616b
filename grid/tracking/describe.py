"""Descriptions of runs and of the experiment on MLflow's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.ledger.study import CellView, Study
from grid.results.result import Result
from grid.spec.levels import REPLICATE
from grid.spec.measure import entry_of
from grid.spec.stage_kind import TRAIN, StageName, known_kind
from grid.spec.yaml_source import get
from grid.tracking.links import links
from grid.tracking.metrics import columns_logged
from grid.tracking.record import targets_in
from grid.tracking.views import TITLE

ARTIFACTS = """Artifacts: `config.json` has every resolved setting, `stages.json` what was computed, `metrics/` all numbers of
the evaluations, `scores/` the score of each pair, `explanations/` maps and images. The run `report` has the tables and figures
of the whole study."""
Results = Mapping[StageName, Mapping[str, Any]]  # of every stage with results in tables


def run_note(study: Study, cell: CellView, results: Results, report: str | None = None) -> str:
    """Markdown: the cell, how it was trained, its results with their 95 % intervals."""
    lines = [f"A cell of the grid **{study.name}**: {cell.title}", *links(study, report)]
    lines += ["", "| setting | value |", "|---|---|"]
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


def experiment_note(study: Study, charts: str, report: str | None = None) -> str:
    """Markdown: the grid's factors, and how to read the runs.

    Args:
        charts: address of the charts on MLflow's pages
        report: address of the page of the run ``report``; None if there is none
    """
    seeds = "; replicates are the children of one run per combination of levels" if REPLICATE in study.axes else ""
    lines = [  # MLflow shows the first line, the rest after a click
        f"The face-recognition grid **{study.name}**. [Charts]({charts}). {' '.join(links(study, report)[1:])}",
        "",
        f"One run per cell{seeds}.",
        "",
        "| factor | levels |",
        "|---|---|",
    ]
    lines += [f"| {_plain(axis)} | {_plain(', '.join(levels))} |" for axis, levels in study.axes.items()]
    lines += [
        "", "Params are the factors and a few settings; `config.json` of a run has all of them. Metrics are grouped by "
        "protocol, after the learning curves. The run `report` has the tables and figures; `facegrid ui` opens this page with "
        f"the factors and the main results as columns, as does **{TITLE}** under Views.",
    ]  # fmt: skip
    return "\n".join(lines)


def _settings(cell: CellView) -> list[tuple[str, str]]:
    parts = ("data", "detector", "backbone", "head", "targets", "loss", "pretraining", "recipe")
    found = {part: get(cell.config, f"{part}.name") for part in parts}
    found |= {"targets": targets_in(cell.config) or None, "epochs": get(cell.config, "recipe.epochs")}
    found["seed"] = cell.config.get("seed")
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
