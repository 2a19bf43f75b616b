"""A study with a search whose trainings were invented: real plan, real ledger, chosen losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from naive_halving import naive
from numpy import array
from small import write

from grid.ledger.ledger import Ledger
from grid.ledger.study import Study
from grid.plan.plan import make_plan, store_of
from grid.plan.study_record import write_plan
from grid.spec.grid_file import read

SEARCH: dict[str, Any] = {
    "trials": 4, "rungs": [1, 3], "reduction": 2,
    "space": {"layers": [1, 2], "widths": [4, 16], "step": 4, "dropouts": [0.0, 0.5]},
}  # fmt: skip
LOSSES = [[0.9, 0.8, 0.7], [0.5, 0.4, 0.3], [0.4, 0.35, 0.32], [0.8, 0.1, 0.1]]  # by trial and epoch: trial 2 of 4 wins
BASE = {"head": "dense", "targets": {"gender": {"loss": "binary"}}}
LEVELS = {"plain": {}, "searched": {"search": SEARCH}}


def searched_study(folder: Path, trainings: int = 6, **parts: Any) -> Study:
    """The study after that many of the six trainings of the search; after all of them the search is finished too.

    With ``asha`` there are eight stages, two of which trained nothing.
    """
    parts.setdefault("axes", {"dense_layers": LEVELS})
    launch = {"study": str(folder / "studies/small"), "tracking": f"sqlite:///{folder}/mlflow.db"}
    grid = read(write(folder / "grid.yaml", BASE, launch=launch, explainers=[], **parts))
    plan = make_plan(grid)
    write_plan(plan, grid)
    ledger = Ledger(store_of(grid))
    survivors = naive(array(LOSSES), [1, 3], 2, lower=True)[1]
    places = sorted(survivors, key=lambda trial: LOSSES[trial][0])
    stages = {stage.id: stage for stage in plan.stages}
    cell = next((cell for cell in plan.cells if cell.cell is not None and cell.cell.search is not None), None)
    if cell is None:
        return Study(plan.study)
    assert cell.cell is not None
    assert cell.cell.search is not None
    heads = [head.model_dump(mode="json") for head in cell.cell.search.heads(cell.cell.head)]
    for label, id in list(cell.stages.items())[:trainings]:
        slot = stages[id].node.config["slot"]
        trial = slot.place if slot.rung == 0 or slot.rivals else places[slot.place]
        attempt = ledger.begin(label.kind, id, stages[id].node.identity)
        if slot.rivals and trial not in places:
            attempt.finish({"trial": trial, "rung": slot.rung, "promoted": False}, contents(ledger, stages, id), "", [])
            continue
        history = [
            {"epoch": epoch, "validation_loss": loss, "train_loss": loss, "lr": 0.1}
            for epoch, loss in enumerate(LOSSES[trial][: slot.epochs])
        ]
        (attempt.path / "history.json").write_text(json.dumps(history))
        facts = {"trial": trial, "rung": slot.rung, "head": heads[trial], "parameters": 1000 + trial, "epochs": slot.epochs}
        facts |= {"promoted": {"rank": places.index(trial) + 1, "of": 4}} if slot.rivals else {}
        facts["metrics"] = {"validation_loss": history[-1]["validation_loss"]}
        attempt.finish(facts, contents(ledger, stages, id), "", ["history.json"])
    if trainings == cell.cell.search.stages:
        id = cell.stages["search"]  # type: ignore[index]
        attempt = ledger.begin("search", id, stages[id].node.identity)
        (attempt.path / "search.json").write_text("{}")
        facts = {"trials": 4, "winner": 2, "validation_loss": 0.3, "head": heads[1]}
        attempt.finish(facts, contents(ledger, stages, id), "", ["search.json"])
    return Study(plan.study)


def contents(ledger: Ledger, stages: Any, id: str) -> dict[str, str]:
    """The content of each input of a stage."""
    markers = {need: ledger.marker(stages[need].stage, need) for need in stages[id].needs}
    return {need: marker.content for need, marker in markers.items() if marker is not None}
