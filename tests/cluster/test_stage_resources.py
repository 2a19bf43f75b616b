"""Real Ray with a GPU that exists for its scheduler only: each kind of stage reserves what the grid file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from launching import facegrid, grid
from ray_nodes import Nodes

from grid.ledger.attempt_times import attempt_times
from grid.ledger.study import Study

pytestmark = pytest.mark.timeout(600)


def one_cell(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"]
    tree["base"]["recipe"]["epochs"] = 1
    tree["base"]["augmentation"] = {"name": "components.hungry", "needs": 0.5}
    tree["stages"] = [{"name": "worst_pairs"}]
    tree["axes"] = {"detection": {"mtcnn": {"detector.name": "components.placed"}}}
    stage_resources = {"detect": {"gpus": 0, "custom": {"rack": 1}}, "train": {"gpus": 0.5}, "evaluate": {"gpus": 0.5}}
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0.25}, "stage_resources": stage_resources, "retries": 0}


@pytest.mark.slow
def test_a_detection_holds_no_gpu_and_a_training_more_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = tmp_path / "shares"
    shares.mkdir()
    nodes = Nodes(monkeypatch, FACEGRID_TEST_SHARES=str(shares))
    file = grid(tmp_path / "tiny.yaml", one_cell)
    try:
        nodes.add(num_cpus=2, num_gpus=1, resources={"rack": 1, "accelerator_type:H100": 1})
        where = ("--address", nodes.address)
        facegrid(tmp_path, "launch", file, *where)
        wrong = facegrid(tmp_path, "launch", file, *where, "launch.stage_resources.train.gpus=4", "recipe.epochs=2", code=2)
        unknown = facegrid(tmp_path, "launch", file, *where, "launch.stage_resources.explan.gpus=1", "recipe.epochs=2", code=2)
        prices = ("launch.study=other", "launch.prices.gpu_hour={A100: 1}", "--max-cost", "5")
        unpriced = facegrid(tmp_path, "launch", file, *where, *prices, code=2)
    finally:
        nodes.close()
    study = Study(tmp_path / "studies" / "tiny")
    (cell,) = (one for one in study.cells if one.state == "done")
    held = {
        name: [one.reserved for one in attempt_times(study.ledger, name.partition(":")[0], id)]
        for name, id in cell.stages.items()
    }
    assert held["train"] == held["evaluate:drawn"] == [{"CPU": 1.0, "GPU": 0.5}]
    assert next(held[name] for name in held if name.startswith("worst_pairs")) == [{"CPU": 1.0, "GPU": 0.0}], (
        "it runs no network, and begins when the GPU was given back"
    )
    built = [json.loads(line) for line in (shares / "detect").read_text().splitlines()]
    assert built[:2] == [[{"CPU": 1.0, "rack": 1.0}]] * 2, "the detections of the training's and of the protocol's images"
    assert all(bundles == [{"CPU": 1.0, "GPU": 0.5}] for bundles in built[2:]), "the cell cuts its crops"
    assert (shares / "0.5").read_text().split() == ["0.5"]
    assert "launch.stage_resources.train: no node has 1 CPU, 4 GPU" in wrong
    assert "--max-cost: launch.prices.gpu_hour has no price for H100, which nodes have (known: A100)" in unpriced
    assert "launch.stage_resources.explan: there is no such kind of stage; did you mean 'explain'?" in unknown
