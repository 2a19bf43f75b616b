"""Closed-set classification of held-out images, in cells that share them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from small import write

from configs.lookup import resolve
from grid.execution.job import RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read
from grid.spec.training import Training
from grid.stages.extra.classification import Kind
from grid.stages.extra.classification import run as classify

BASE = {
    "data": {"name": "drawn", "size": 64, "subjects": 4, "shots": 6},
    "split": {"fraction": 0.34},
    "head": {"name": "deepface_f7", "dimension": 16},
    "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 8},
}
STAGE, TIME = "classification", "face_time"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Level -> label -> marker, of two shares of the images; with ``result.json`` of the stages of their own."""
    folder = tmp_path_factory.mktemp("classification")
    axes = {"images": {"all": {}, "half": {"split.share": 0.5}}}
    stages = [{"name": STAGE, "top": 2}, {"name": TIME, "images": 4}]
    file = write(
        folder / "grid.yaml", BASE, axes=axes, protocols=[], explainers=[], stages=stages, launch={"study": str(folder / "s")}
    )
    grid = read(file)
    plan = make_plan(grid)
    jobs, ledger = jobs_of(plan.stages, store_of(grid)), Ledger(store_of(grid))
    found: dict[str, dict[str, Any]] = {}
    for cell in plan.cells:
        mine = found.setdefault(cell.levels["images"], {})
        for label, id in cell.stages.items():
            assert run(jobs[id], RunOptions(raises=True)).ended == "done"
            marker = ledger.marker(jobs[id].kind, id)
            assert marker is not None
            mine[label] = marker
            if "result.json" in marker.outputs:
                mine[f"{label}.json"] = json.loads(ledger.path(marker, "result.json").read_text())
    return found


def test_cells_with_fewer_training_images_classify_the_same_images(cells):
    every, half = cells["all"], cells["half"]
    assert half["train"].facts["images"] == every["train"].facts["images"] / 2 == 8
    assert half["train"].facts["validation_images"] == every["train"].facts["validation_images"] == 8
    assert half[STAGE].facts["images_digest"] == every[STAGE].facts["images_digest"]
    assert every[STAGE].facts["images"] == 8


def test_the_error_is_that_of_the_kept_epochs_validation(cells):
    for cell in cells.values():
        result = cell[f"{STAGE}.json"]
        assert result["error"]["value"] == pytest.approx(1 - cell["train"].facts["validation_accuracy"])
        assert result["error"]["low"] < result["error"]["high"]
        assert result["error_top_2"]["value"] <= result["error"]["value"]


def test_zeros_are_those_of_a_layer_with_relu(cells):
    zeros = cells["all"][f"{STAGE}.json"]["zeros"]
    assert 0 < zeros["value"] < 1
    assert zeros["n"] == 8 * 16


def test_tables_show_the_error_first(cells):
    measures = Kind(STAGE).measures([cells["all"][f"{STAGE}.json"]])
    assert [(one.key, one.headline) for one in measures] == [("error", True), ("error_top_2", False), ("zeros", False)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"split": {"by": "identities"}}, "use split.by: images"),
        ({"loss": "triplet", "batches": {"name": "pk", "images": 2}}, "loss triplet has no classes"),
        ({"targets": ["gender"]}, "the training has targets of its own"),
        ({"recipe": "none", "pretraining": {"name": "checkpoint", "path": "/a.pth"}}, "the training has no classifier"),
    ],
)
def test_a_training_without_classes_for_held_out_images_is_refused(settings, said):
    training = Training.model_validate({"data": "drawn", "backbone": "alexnet", "recipe": "one_cycle", **settings})
    context: Any = SimpleNamespace()
    with pytest.raises(ValueError, match=said):
        classify({"training": training, "settings": resolve("stage", {"name": STAGE})}, context)
