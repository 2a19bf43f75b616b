"""The small grid for tests: as a tree, as a file, and with finished stages in its ledger.

Tests import it by its module name; this folder is on pytest's path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, PlannedStage, make_plan, store_of
from grid.spec.grid_file import Grid

SMALL: dict[str, Any] = {
    "name": "small",
    "base": {
        "data": {"name": "drawn", "subjects": 4, "shots": 4},
        "input": {"size": 64},
        "backbone": "alexnet",
        "recipe": {"name": "one_cycle", "lr": 0.1, "epochs": 2},
    },
    "axes": {
        "detection": {"none": {"detector.name": "none"}, "mtcnn": {"detector": {"name": "mtcnn", "margin": 8}}},
        "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}},
    },
    "protocols": [{"name": "drawn", "subjects": 20, "shots": 8, "folds": 5}],
    "explainers": [{"name": "gradcam", "images": 2}],
}


def write(file: Path, base: Mapping[str, Any] | None = None, **parts: Any) -> Path:
    """Writes the small grid to a file: ``base`` is merged into its base, ``parts`` replace whole sections."""
    tree = {**SMALL, **parts, "base": {**SMALL["base"], **(base or {})}}
    file.write_text(yaml.safe_dump(tree, sort_keys=False))
    return file


def finish(grid: Grid, stage: PlannedStage, text: str = "", source: str | None = None) -> None:
    """Marks a stage as finished in the ledger, with the current inputs."""
    ledger = Ledger(store_of(grid))
    attempt = ledger.begin(stage.stage, stage.id, stage.node.identity)
    (attempt.path / "output").write_text(text or stage.id)
    kinds = {planned.id: planned.stage for planned in make_plan(grid).stages}
    markers = {need: ledger.marker(kinds[need], need) for need in stage.needs}
    inputs = {need: marker.content if marker else "nothing" for need, marker in markers.items()}
    attempt.finish({}, inputs, source or stage.source, ["output"])


def finish_all(grid: Grid) -> Plan:
    """Finishes every stage; returns the new plan."""
    for stage in make_plan(grid).stages:
        finish(grid, stage)
    return make_plan(grid)


def stages(plan: Plan, label: str) -> list[PlannedStage]:
    """The stages with that label."""
    return [stage for stage in plan.stages if stage.label == label]


def folder(place: Path, level: int) -> str:
    import cv2
    import numpy as np

    for subject in "abc":
        (place / subject).mkdir(parents=True)
        for number in range(3):
            assert cv2.imwrite(
                str(place / subject / f"{number}.png"),
                np.full((40, 40, 3), level + number + 3 * (ord(subject) - 97) + 97, np.uint8),
            )
    return str(place)
