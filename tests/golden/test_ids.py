"""Ids of a few fixed cells. An id that moves makes every study that has it compute again."""

import json
from pathlib import Path
from typing import Any

import pytest

from grid.plan.inputs import InputResolver
from grid.spec.cell import Cell
from grid.spec.stage_kind import cell_id, stages_of

FILE = Path(__file__).with_name("ids.json")
DRAWN = {"name": "drawn", "subjects": 4, "shots": 4}
CELLS: dict[str, dict[str, Any]] = {
    "plain": {"data": DRAWN, "backbone": "alexnet"},
    "whole": {
        "data": {**DRAWN, "look_alikes": 2, "variation": 0.5},
        "split": {"fraction": 0.25, "seed": 1},
        "detector": {"name": "mtcnn", "margin": 8},
        "input": {"size": 64},
        "augmentation": {"name": "basic", "rotate": 4.0},
        "backbone": {"name": "efficientnet_b1", "drop_path": 0.1},
        "head": {"name": "gap_bn", "dimension": 128},
        "loss": {"name": "softmax", "label_smoothing": 0.1},
        "pretraining": {"name": "source", "data": {**DRAWN, "first": 500}, "epochs": 1},
        "recipe": {"name": "one_cycle", "optimizer": "adamw", "lr": 0.001},
        "compute": {"threads": 2},
        "seed": 3,
        "pretrain_seed": 4,
        "protocols": [{"name": "drawn", "label": "non_mated", "shots": 8, "flip_test": True}],
        "explainers": [{"name": "gradcam", "images": 4}, {"name": "gradcam", "label": "shallow", "min_side": 8}],
    },
    "plateau": {
        "data": DRAWN,
        "detector": "none",
        "augmentation": "flip",
        "backbone": "resnet34",
        "recipe": {"name": "plateau", "epochs": 5},
        "protocols": [{"name": "drawn", "subjects": 30, "folds": 5}],
    },
}
MOVED = (
    "The ids of cell {cell!r} have moved ({labels}). Every study with such stages would compute them again. If the results of "
    "these stages did not change, this is a bug: give a new field `Born(value)` with the value that all cells had before, or "
    "put a location outside identity. If they did change, bump the component's `version`, write it into CHANGELOG.md, and "
    "renew this file: python tests/golden/test_ids.py"
)


def ids(name: str, store: Path) -> dict[str, str]:
    stages = stages_of(Cell.model_validate(CELLS[name]), InputResolver(store))
    train = next(stage for stage in stages if stage.kind == "train")
    return {"cell": cell_id(train, {"axis": name}), **{stage.label: stage.id for stage in stages}}


@pytest.mark.parametrize("name", CELLS)
def test_ids_stay(name: str, tmp_path: Path) -> None:
    wanted = json.loads(FILE.read_text())[name]
    found = ids(name, tmp_path)
    moved = sorted(label for label in wanted | found if wanted.get(label) != found.get(label))
    assert not moved, MOVED.format(cell=name, labels=", ".join(moved))


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: ids(name, Path("never-written")) for name in CELLS}, indent=1) + "\n")
