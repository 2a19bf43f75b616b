"""Two tiny cells, all of whose stages were run in this process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small import write

from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger, Marker
from grid.plan.plan import PlannedStage, make_plan, store_of
from grid.spec.grid_file import read

DRAWN = {"name": "drawn", "size": 64}
BASE = {
    "data": {**DRAWN, "subjects": 4, "shots": 5},
    "split": {"fraction": 0.2},
    "detector": {"name": "mtcnn", "margin": 8},
    "pretraining": {
        "name": "source",
        "detector": {"name": "mtcnn", "margin": 8},
        "data": {**DRAWN, "first": 500, "subjects": 3, "shots": 5},
        "epochs": 1,
    },
    "head": {"name": "gap_bn", "dimension": 8},
    "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 8},
}
PROTOCOLS = [{**DRAWN, "subjects": 6, "shots": 3, "folds": 3, "pairs_per_fold": 12}]
SANITY = {"name": "sanity", "depths": 1, "most": 4}
EXPLAINERS = [
    {"name": "gradcam", "images": 3, "scores": [SANITY]},
    {"name": "gradcam", "label": "pairs", "pairs": 2, "scores": [SANITY]},
    {"name": "stylianou", "pairs": 2, "scores": [SANITY]},
    {"name": "xssab", "pairs": 2, "threshold": 0.3},
]
STUDIED = {
    "data": {**DRAWN, "subjects": 12, "shots": 4},
    "split": {"fraction": 0.5},
    "input": {"size": 32},
    "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
    "head": {"name": "fc_bn", "dimension": 8},
    "targets": ["gender", "identity"],
    "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 16},
}
STUDIES = [
    {
        "name": "decode",
        "decoder": {"name": "unet", "width": 4},
        "recipe": {"name": "one_cycle", "optimizer": "adamw", "epochs": 2},
    },
    {"name": "latent", "images": 4, "steps": 5, "frames": 4, "folds": 2, "permutations": 3, "resamples": 100, "perplexity": 5},
    {"name": "background", "images": 3, "random_masks": 2, "permutations": 19, "resamples": 100},
]


@dataclass(frozen=True)
class Ran:
    """Every stage of the cell by label, and the progress that each one reported."""

    store: Path
    ledger: Ledger
    stages: Mapping[str, PlannedStage]
    jobs: Mapping[str, Job]
    reports: Mapping[str, list[dict[str, Any]]]

    def marker(self, label: str) -> Marker:
        stage = self.stages[label]
        marker = self.ledger.marker(stage.stage, stage.id)
        assert marker is not None, label
        return marker

    def path(self, label: str, name: str) -> Path:
        return self.ledger.path(self.marker(label), name)

    def json(self, label: str, name: str) -> Any:
        return self.ledger.json(self.marker(label), name)


def run_all(folder: Path, base: dict[str, Any], **parts: Any) -> Ran:
    """Runs every stage of the only cell of a grid."""
    grid = read(write(folder / "grid.yaml", base, axes={}, launch={"study": str(folder / "study")}, **parts))
    plan = make_plan(grid)
    stages = {stage.id: stage for stage in plan.stages}
    jobs = jobs_of(plan.stages, store_of(grid))
    ids = plan.cells[0].stages.items()
    reports: dict[str, list[dict[str, Any]]] = {label: [] for label, _ in ids}
    for label, id in ids:
        assert run(jobs[id], RunOptions(raises=True, report=reports[label].append)).ended == "done"
    return Ran(
        store_of(grid),
        Ledger(store_of(grid)),
        {label: stages[id] for label, id in ids},
        {label: jobs[id] for label, id in ids},
        reports,
    )


@pytest.fixture(scope="session")
def run_cell() -> Callable[..., Ran]:
    """``run_cell(folder, base, protocols=..., stages=...)``: see ``run_all``."""
    return run_all


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return run_all(tmp_path_factory.mktemp("ran"), BASE, protocols=PROTOCOLS, explainers=EXPLAINERS)


@pytest.fixture(scope="session")
def studied_cell(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A cell with a decoder trained after the network, and with the studies that facegrid has."""
    return run_all(tmp_path_factory.mktemp("studied"), STUDIED, protocols=[], explainers=[], stages=STUDIES)
