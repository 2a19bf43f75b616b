"""Plans the missing explanations of a finished study: the cells of plan.json with more explainers, but without training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from configs.component import canonical
from configs.explainers import ExplainerConfig
from configs.lookup import resolve
from grid.ledger.added_explanations import entries
from grid.ledger.study import CellView, Study
from grid.plan.plan import DONE, RUN, STALE, Plan
from grid.plan.recorded_grid import RecordedGrid, recorded_grid
from grid.spec.grid_file import BadInput
from grid.spec.levels import selects
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import DETECT, PRETRAIN, TRAIN


def titles(study: Study, explainers: Sequence[ExplainerConfig]) -> tuple[ExplainerConfig, ...]:
    """The explainers, each with its known title in the study, or with a title that no other explainer of the study has.

    Raises:
        BadInput: a given label belongs to another explainer.
    """
    known: dict[str, str] = {}  # title -> its config
    configs = [explainer for cell in study.cells for explainer in cell.config.get("explainers", ())]
    for config in [*configs, *(one.explainer for one in entries(study.record))]:
        explainer: Any = resolve("explainer", config)
        known.setdefault(explainer.title, _same(explainer))
    found = []
    for explainer in explainers:
        what = _same(explainer)
        title = next((title for title, other in known.items() if other == what), None)
        if explainer.label is not None or title is None:
            title = explainer.title
            number = 2
            while known.get(title, what) != what:
                if explainer.label is not None:
                    raise BadInput(
                        f"--methods: this study has another explanation with the label {title!r}; choose another label"
                    )
                title, number = f"{explainer.name} {number}", number + 1
        known[title] = what
        found.append(explainer.model_copy(update={"label": None if title == explainer.name else title}))
    return tuple(found)


def _same(explainer: ExplainerConfig) -> str:
    return canonical(explainer.model_dump(mode="json", exclude={"label", "scores"}))


def trained(study: Study, where: Mapping[str, Sequence[str]]) -> tuple[list[CellView], list[dict[str, Any]]]:
    """The cells selected by ``where`` with finished training; and the other selected cells, with the reason."""
    selected = [cell for cell in study.cells if not cell.hidden and selects(where, cell.levels)]
    trained = [cell for cell in selected if TRAIN in cell.markers]
    passed = [_passed(cell, _why(cell)) for cell in selected if TRAIN not in cell.markers]
    if not trained:
        reasons = "; ".join(f"{one['cell']}: {one['reason']}" for one in passed[:3])
        raise BadInput(f"{study.path}: none of the selected cells has finished training ({reasons})")
    return trained, passed


def _why(cell: CellView) -> str:
    if cell.id is None:
        return f"{cell.state}: {cell.reason}"
    failure = cell.failures.get(TRAIN) or cell.failures.get(PRETRAIN)
    return f"its training failed: {failure.error}" if failure else "not trained yet; launch the grid"


def _passed(cell: CellView, reason: str) -> dict[str, Any]:
    return {"cell": cell.title, "reason": reason}


def grid_of(
    study: Study, cells: Sequence[CellView], explainers: Sequence[ExplainerConfig], address: str | None
) -> RecordedGrid:
    """The cells as they were launched, with only these explainers; protocols only if pairs are taken from them."""
    changed: dict[str, Any] = {"explainers": list(explainers)}
    if not any(explainer.pairs for explainer in explainers):
        changed["protocols"] = []
    return recorded_grid(study, cells, address, changed)


def without_training(plan: Plan, study: Study, passed: list[dict[str, Any]]) -> Plan:
    """The plan's explanations and the detections they need; cells whose training would have to run are skipped."""
    stages = {stage.id: stage for stage in plan.stages}
    views = {tuple(cell.levels.items()): cell for cell in study.cells if not cell.hidden}
    cells = []
    for cell in plan.cells:
        view = views[tuple(cell.levels.items())]
        train = stages[cell.stages[TRAIN]]
        if train.id != view.stages[TRAIN]:
            passed.append(_passed(view, "its images or weights are no longer those that it was trained with; launch the grid"))
        elif train.state not in (DONE, STALE):
            passed.append(_passed(view, f"its training would run again: {train.reason}; launch the grid"))
        else:
            own = {label: id for label, id in cell.stages.items() if known_kind(stages[id].stage).explains}
            needed = {need for id in own.values() for need in stages[id].needs}
            seen = {label: id for label, id in cell.stages.items() if id in needed and stages[id].stage == DETECT}
            states = {stages[id].state for id in (*seen.values(), *own.values())}
            cells.append(dataclasses.replace(cell, stages={**seen, **own}, state=RUN if RUN in states else DONE))
    if not cells:
        raise BadInput(f"{study.path}: nothing to explain: {passed[-1]['cell']}: {passed[-1]['reason']}")
    wanted = {id for cell in cells for id in cell.stages.values()}
    return dataclasses.replace(plan, cells=tuple(cells), stages=tuple(s for s in plan.stages if s.id in wanted))
