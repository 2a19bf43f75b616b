"""The runs of a search's trials in MLflow: children of the run of the cell that uses the search.

A child is identified by a tag, as the run of a cell is. Cells that share a search share its trials; these are the children of
the first one, because a run has one parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from grid.ledger.study import Study
from grid.results.searches import SearchView, Trial, searches
from grid.tracking.metrics import Point, curve, milliseconds
from grid.tracking.names import safe, stage_key
from grid.tracking.record import HIDDEN, KIND, LAYOUT, PARENT, STUDY, TRIAL, VALUE, VERSION, Record
from grid.tracking.run import Change, Known, Replace
from grid.tracking.runs import Runs


def copy_trials(study: Study, runs: Runs, thorough: bool) -> list[str]:
    """Writes what MLflow lacks of the trials of all searches; returns messages about replaced runs.

    Args:
        thorough: points that were copied before are read back, in case they were changed
    """
    said: list[str] = []
    wanted = set()
    for search in searches(study):
        parent = next((runs.known[cell.id] for cell in search.cells if cell.id in runs.known), None)
        for trial in search.trials if parent else ():
            assert parent is not None
            key = key_of(search, trial)
            wanted.add(key)
            record = record_of(study, search, trial, parent.run_id)
            runs.fill(key, record, record.name, partial(_copy, study, runs, record, trial, thorough), said)
    for key, known in runs.known.items():
        if known.tags.get(KIND) == "trial" and key not in wanted:
            runs.mark(known, HIDDEN, "true")
    return said


def key_of(search: SearchView, trial: Trial) -> str:
    """What identifies the run of a trial in a study."""
    return f"{search.id}/{trial.number}"


def record_of(study: Study, search: SearchView, trial: Trial, parent: str) -> Record:
    """The desired run of a trial; ``parent`` is the id of the cell's run."""
    ended = bool(search.winner)
    failed = search.cells[0].state == "failed"
    markers = [marker for _, marker in trial.stages]
    tags = {
        STUDY: study.id, KIND: "trial", LAYOUT: VERSION, TRIAL: key_of(search, trial), PARENT: parent, HIDDEN: "false",
        "facegrid.rung": str(trial.rung), "facegrid.chosen": "true" if trial.chosen else "false",
        "facegrid.version": str(study.record.get("version", "")),
    }  # fmt: skip
    if diverged := trial.facts.get("diverged"):
        tags["facegrid.diverged"] = str(diverged)
    layers = trial.layers
    params: dict[str, Any] = {"trial": trial.number, "layers": len(layers), "parameters": trial.facts["parameters"]}
    params |= {f"{key}s": ", ".join(str(layer[key]) for layer in layers) for key in ("width", "activation", "dropout")}
    return Record(
        name=f"trial {trial.number}",
        params={key: str(value)[:VALUE] for key, value in params.items()},
        tags=tags,
        datasets=(),
        status="FINISHED" if ended else "FAILED" if failed else "RUNNING",
        start=milliseconds(min(marker.started for marker in markers)),
        end=milliseconds(max(marker.finished for marker in markers)) if ended or failed else None,
    )


def _copy(study: Study, runs: Runs, record: Record, trial: Trial, thorough: bool, known: Known) -> None:
    change = Change()
    for tick, content, rows in _rungs(study, trial):
        have = known.tags.get(tick)
        if have is not None and have != content:
            raise Replace("it was trained again, with another result")
        if have is None or (thorough and not known.mine):
            change.points += runs.missing(known, rows)
            change.ticks[tick] = content
    runs.apply(known, change, record)


def _rungs(study: Study, trial: Trial) -> Iterator[tuple[str, str, list[Point]]]:
    """For each rung of a trial: the tag that marks it as copied, its content, and the points that it adds."""
    epochs = 0
    for name, marker in trial.stages:
        rows = curve(study.ledger, name.kind, marker.id, marker)
        points = [point for row in rows for point in row if point.step > epochs]
        yield safe(f"facegrid.synced.{stage_key(name)}"), marker.content, points
        epochs = marker.facts["epochs"]
