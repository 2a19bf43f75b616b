"""A result never mixes two versions of the code: what was computed by the old one is computed again from the start."""

import json
from pathlib import Path

import forked
import pytest
import yaml
from launching import ROOT
from safetensors.numpy import load_file

from grid.ledger.ledger import Ledger

pytestmark = pytest.mark.timeout(600)

LOSS = """
from typing import Literal
from configs.network_interfaces import LossConfig
from modules.losses import softmax

class Config(LossConfig):
    name: Literal["own_losses.scaled"] = "own_losses.scaled"
    def build(self, dimension, classes):
        return Scaled(dimension, classes, softmax.SoftmaxConfig())

class Scaled(softmax.Softmax):
    steps = 0
    def forward(self, embeddings, labels):
        if self.training:
            self.steps += 1
        if self.steps > {limit}:
            raise RuntimeError("no more steps")
        return {scale} * super().forward(embeddings, labels)
"""
CUTTER = """
from typing import ClassVar, Literal
import numpy as np
from configs.data_interfaces import DetectorConfig
from datamodules.detectors.none import Center
from datamodules.geometry.cutting import sides

class Config(DetectorConfig):
    name: Literal["own_losses.cutter"] = "own_losses.cutter"
    trivial: ClassVar[bool] = True
    def detection(self):
        return {{"name": self.name}}
    def build(self, device="cpu"):
        return Cutter(1.0)

class Cutter(Center):
    def crop(self, image, detection, size):
        return np.full((*sides(size), 3), {gray}, np.uint8)
"""
LAUNCH = """
import sys
from pathlib import Path
from rich.console import Console
from grid.execution.launch import _retry, void_changed
from grid.ledger.ledger import Ledger
from grid.plan.plan import RUN, make_plan, store_of
from grid.plan.preflight import checked_plan
from grid.spec.grid_file import read
from grid.execution.job import RunOptions, jobs_of, run
grid = read(Path(sys.argv[1]), [])
plan = checked_plan(grid, None, Console())
if sys.argv[2:]:
    plan = _retry(plan, sys.argv[2:])
void_changed(plan, Ledger(store_of(grid)))
jobs = jobs_of(plan.stages, store_of(grid))
for stage in plan.stages:
    if stage.state == RUN:
        print(stage.label, run(jobs[stage.id], RunOptions()).ended)
"""  # a launch in one process, without Ray
STEPS = 4  # of an epoch


class Place:
    """A folder with a grid of one cell, whose loss can be rewritten."""

    def __init__(self, folder: Path, detector: str = "none") -> None:
        self.folder, self.store = folder, folder / "study/store"
        (folder / "own_losses").mkdir(parents=True)
        (folder / "own_losses/__init__.py").touch()
        tree = {
            "name": "changed",
            "base": {
                "data": {"name": "drawn", "subjects": 4, "shots": 9, "size": 64},
                "split": {"fraction": 0.12},
                "input": {"size": 64},
                "detector": detector,
                "backbone": "alexnet",
                "loss": "own_losses.scaled",
                "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 3, "batch_size": 8},
            },
            "axes": {},
            "launch": {"study": str(folder / "study")},
        }
        (folder / "grid.yaml").write_text(yaml.safe_dump(tree))

    def loss(self, scale: float, limit: int = 10**9) -> None:
        (self.folder / "own_losses/scaled.py").write_text(LOSS.format(scale=scale, limit=limit))

    def cutter(self, gray: int) -> None:
        (self.folder / "own_losses/cutter.py").write_text(CUTTER.format(gray=gray))

    def launch(self, *retry: str) -> str:
        return forked.run(LAUNCH, self.folder, [str(self.folder / "grid.yaml"), *retry], [str(ROOT), str(self.folder)])

    def train(self) -> tuple[str, Ledger]:
        ledger = Ledger(self.store)
        (id,) = ledger.done_ids("train")
        return id, ledger

    def history(self) -> list[dict]:
        id, ledger = self.train()
        return json.loads(ledger.path(ledger.marker("train", id), "history.json").read_text())

    def weights(self) -> dict:
        id, ledger = self.train()
        return load_file(ledger.path(ledger.marker("train", id), "model.safetensors"))

    def resumed(self) -> list[Path]:
        return list(self.store.glob("train/*/*/resumed.json"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_retry_stale_computes_a_training_again(place: Place) -> None:
    place.loss(1.0)
    assert "train done" in place.launch()
    place.loss(1.0, limit=0)  # now each step raises
    assert place.launch() == "", "stale results stay in use until somebody asks"
    assert "train failed" in place.launch("stale")
    id, ledger = place.train()
    assert ledger.marker("train", id) is None
    assert place.resumed() == []


def test_no_training_mixes_two_versions_of_a_loss(place: Place, tmp_path: Path) -> None:
    place.loss(1.0, limit=2 * STEPS)
    assert "train failed" in place.launch()
    id, ledger = place.train()
    assert len(ledger.events("train", id)) == 2, "it fails in its third epoch"
    place.loss(2.0)
    assert "train done" in place.launch("failed")
    assert place.resumed() == []
    fresh = Place(tmp_path / "fresh")
    fresh.loss(2.0)
    assert "train done" in fresh.launch()
    assert place.history() == fresh.history()
    ours, theirs = place.weights(), fresh.weights()
    assert all((ours[key] == theirs[key]).all() for key in theirs)


def test_a_failure_that_the_same_code_outlives_is_resumed(place: Place) -> None:
    place.loss(1.0, limit=2 * STEPS)
    assert "train failed" in place.launch()
    assert "train done" in place.launch("failed"), "a resumed process counts its steps from zero"
    assert len(place.resumed()) == 1
    assert [row["epoch"] for row in place.history()] == [0, 1, 2]


def test_retry_stale_cuts_the_faces_out_anew(tmp_path: Path) -> None:
    """Crops are kept beside the results; those that other code has made are not used."""
    place, fresh = (Place(tmp_path / name, "own_losses.cutter") for name in ("changed", "fresh"))
    for one in (place, fresh):
        one.loss(1.0)
        one.cutter(50)
    assert "train done" in place.launch()
    before = place.history()
    for one in (place, fresh):
        one.cutter(200)
    assert "train done" in place.launch("stale")
    assert "train done" in fresh.launch()
    assert place.history() == fresh.history() != before
