"""Explanations of a finished study: cells of plan.json with more explainers, of which only the new stages run.

Nothing is ever trained: a cell with unfinished training is reported and skipped, and the work queue contains only explanations,
their scores, and the detections that they need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from configs.explainers import ExplainerConfig
from grid.abort import Aborter
from grid.execution.executor import executor_of
from grid.execution.launch import carry_out, conclude, identify, short, void_changed, whole_queue
from grid.execution.scheduler import WorkQueue
from grid.explain.missing import grid_of, titles, trained, without_training
from grid.ledger.added_explanations import Explained, added, dropped, entries
from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import Study, write_record
from grid.plan.plan import DONE, FAILED, RUN, STALE, Plan, PlannedCell
from grid.plan.preflight import checked_plan, prepare
from grid.spec.cell_filter import check_cell_filter
from grid.spec.grid_file import BadInput
from grid.spec.levels import cell_title, selects
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import DETECT, EXPLAIN, SCORE, TRAIN
from grid.stages.chosen_images import check_chosen
from grid.terminal import command, counted, styled
from grid.tracking.uri import tracking_of


def explain(
    study: Study,
    where: Mapping[str, Sequence[str]],
    explainers: Sequence[ExplainerConfig],
    address: str | None,
    console: Console,
) -> dict[str, Any]:
    """Runs the missing stages of these explanations; returns the outcome for each cell.

    Returns:
        ``stages_run``; ``passed_over``: skipped cells and reasons; ``explanations``: cell, method, kind (``explain`` or
        ``score``), label, id, state (``done``, ``refused``, ``failed``, ``unfinished``), ``refused`` (code and reason) or
        ``error``, the ``folder`` of its files, ``fewer`` if there were fewer probes than requested, and for a score its
        ``facts``

    Raises:
        BadInput: an error found before anything is run.
    """
    check_cell_filter(where, study.axes)
    store = study.store
    prepare(study.path, store)
    aborter = Aborter()
    with aborter.armed(), Lock(LocalStore(study.path), f"explain of {study.name}", lost=aborter.abort) as lock:
        identify(study.path, console)
        study = Study(study.path)
        tracking = tracking_of(study)
        titled = titles(study, explainers)
        chosen, passed = trained(study, where)
        grid = grid_of(study, chosen, titled, address)
        plan = without_training(checked_plan(grid, None, console, retry=True), study, passed)
        check_chosen(plan, options=True)
        ledger = Ledger(store)
        stages = []
        for stage in plan.stages:
            if known_kind(stage.stage).explains and stage.state == FAILED:  # requesting it again means retrying it
                ledger.forgive(stage.stage, stage.id)
                stage = dataclasses.replace(stage, state=RUN)
            stages.append(stage)
        plan = dataclasses.replace(plan, stages=tuple(stages))
        executor = executor_of(grid.spec.launch)
        if plan.open:
            executor.check_reachable()
        void_changed(plan, ledger)
        record = added(study.record, _entries(plan))
        write_record(study.path, record)
        queue = _board(plan)
        open_stages = queue.stages_to_run
        words = f"{', '.join(one.title for one in titled)}; {counted(open_stages, 'stage')} to run"
        console.print(styled("[bold]{}[/]: {}, {}", study.name, counted(len(plan.cells), "cell"), words))
        done = sum(cell.state in (DONE, STALE) for cell in plan.cells)
        page = carry_out(queue, executor, ledger, study.path, tracking, console, (len(plan.cells), done), lock)
        found = [row for cell in plan.cells for row in _results(cell, plan, ledger, queue)]
    return {"stages_run": open_stages, "passed_over": passed, "explanations": found, "report": str(page)}


def drop(study: Study, where: Mapping[str, Sequence[str]], labels: Sequence[str], console: Console) -> dict[str, Any]:
    """Removes added explanations from a study; their results stay in the ledger.

    Returns:
        ``dropped``: cell and label of each; ``report``

    Raises:
        BadInput: a label belongs to no added explanation of these cells.
    """
    check_cell_filter(where, study.axes)
    with Lock(LocalStore(study.path), f"explain of {study.name}") as lock:
        identify(study.path, console)
        study = Study(study.path)
        tracking = tracking_of(study)
        cells = [cell for cell in study.cells if selects(where, cell.levels)]
        titles = {cell.stages[TRAIN]: cell.title for cell in reversed(cells) if TRAIN in cell.stages}
        there = {one.label.about for one in entries(study.record) if one.train in titles}
        for label in labels:
            if label not in there:
                known = ", ".join(sorted(one for one in there if ":" not in one)) or "none"
                raise BadInput(
                    f"--drop {label}: nothing of that name was added to these cells (added: {known}; of scores name both, as "
                    "rise:sanity)"
                )
        record, gone = dropped(study.record, titles, labels)
        write_record(study.path, record)
        page = conclude(Study(study.path), tracking, lock, console)
    found = [{"cell": titles[one.train], "label": one.label} for one in gone]
    return {"dropped": found, "report": str(page)}


def _entries(plan: Plan) -> list[Explained]:
    stages = {stage.id: stage for stage in plan.stages}
    found = []
    for cell in plan.cells:
        for label, id in cell.stages.items():
            stage = stages[id]
            if known_kind(stage.stage).explains:
                made = stages[stage.node.inputs.get(EXPLAIN, id)]
                config = made.node.config["explainer"].model_dump(mode="json")
                found.append(Explained(made.node.inputs[TRAIN], label, id, tuple(stage.needs), config))
    return found


def _board(plan: Plan) -> WorkQueue:
    assert {stage.stage for stage in plan.stages} <= {DETECT, EXPLAIN, SCORE}, "an explanation trains nothing"
    trainings = {stage.node.inputs[TRAIN]: TRAIN.kind for stage in plan.stages if stage.stage == EXPLAIN}
    return whole_queue(plan, known=trainings)


def _results(cell: PlannedCell, plan: Plan, ledger: Ledger, queue: WorkQueue) -> list[dict[str, Any]]:
    found = []
    for label, id in cell.stages.items():
        kind = label.kind
        if not known_kind(kind).explains:
            continue
        stage = next(stage for stage in plan.stages if stage.id == id)
        row: dict[str, Any] = {"cell": dict(cell.levels), "method": stage.node.config["explainer"].name}
        row |= {"kind": kind, "label": label.about, "id": id}
        if marker := ledger.marker(kind, id):
            refused = marker.facts.get("refused")
            folder = ledger.store.place(f"{kind}/{id}/{marker.attempt}")
            row |= {"state": "refused" if refused else "done", "refused": refused, "folder": folder}
            if kind == EXPLAIN and (less := fewer(stage.node.config["explainer"], marker.facts)):
                row["fewer"] = less
            if kind == SCORE:
                row["facts"] = {key: value for key, value in marker.facts.items() if value is not None and key != "refused"}
        elif failure := ledger.failure(kind, id):
            row |= {"state": "failed", "error": failure.error}
        else:
            row |= {"state": "unfinished", "error": queue.failed.get(str(cell.id), "what it needs is damaged; launch the grid")}
        found.append(row)
    return found


def fewer(explainer: ExplainerConfig, facts: Mapping[str, Any]) -> str | None:
    """A message that there were fewer probes than requested; None if there were enough."""
    if explainer.pairs:
        there, asked, what = facts["images"] // 2, explainer.pairs, "pairs: the protocol has no more of a kind"
    else:
        there, asked, what = facts["images"], explainer.images, "images: one held-out image of each subject"
    return f"{there} of {asked} {what}" if there < asked else None


def result_lines(facts: Mapping[str, Any], study: Study) -> Iterator[str | Text]:
    """The result on a terminal."""
    for one in facts["passed_over"]:
        yield styled("[yellow]passed over[/] {}: {}", one["cell"], one["reason"])
    for row in facts["explanations"]:
        cell = cell_title(row["cell"])
        if row["state"] == "refused":
            said = f"{row['refused']['code']}: {row['refused']['reason']}"
            yield styled("[yellow]refused[/] {}, {}: {}", row["label"], cell, said)
        elif row["state"] != "done":
            yield styled("[red]{}[/] {}, {}: {}", row["state"], row["label"], cell, row["error"])
        if "fewer" in row:
            yield styled("[yellow]fewer[/] {}, {}: {}", row["label"], cell, row["fewer"])
    more = {
        (tuple(cell.levels.items()), name.kind, name.about)
        for cell in Study(study.path).cells
        for name in cell.names
        if name in cell.added
    }
    failed = [row for row in facts["explanations"] if row["state"] == "failed"]
    if left := [row["label"] for row in failed if (tuple(row["cell"].items()), row["kind"], row["label"]) in more]:
        names = ",".join(dict.fromkeys(left))
        said = (
            f"the same command tries again; `{command('facegrid', 'explain', short(study.path), '--drop', names)}` takes it out"
        )
        yield f"{said}; cells stay done"
    counts = []
    for kind, word in ((EXPLAIN, "explanations"), (SCORE, "scores")):
        states = [row["state"] for row in facts["explanations"] if row["kind"] == kind]
        if states:
            counts.append(f"{word}: {', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))}")
    page = short(study.path / "report/index.html")
    line = f"{counted(facts['stages_run'], 'stage')} ran · {' · '.join(counts)} · report: {page}"
    yield f"{line} · MLflow: {command('facegrid', 'ui', short(study.path))}"
