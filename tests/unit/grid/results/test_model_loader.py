"""A training as its identity tells it, and what is no training."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small import finish, stages

from grid.execution.launch import write_plan
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.results.model_loader import Trained, _training, find
from grid.spec.grid_file import BadInput, Grid
from grid.spec.stage_name import StageName

HERE = Path("model.safetensors")


@pytest.mark.parametrize(
    "base",
    [
        {},
        {"detector": {"name": "mtcnn", "alignment": "similarity"}, "input": {"size": 112, "width": 96}},
        {"head": {"name": "fc_bn"}, "loss": "arcface", "backbone": "resnet34"},
        {"reconstruction": {"weight": 0.5}, "batches": {"name": "pk", "images": 2}, "seed": 3},
        {"loss": "softmax + 0.008 center", "backbone": {"name": "abn", "backbone": "resnet34"}, "augmentation": "basic"},
    ],
)
def test_an_identity_tells_all_that_a_network_is_built_of(make: Callable[..., Grid], base: dict[str, Any]) -> None:
    (cell,) = (point.cell for point in make(axes={}, base=base).combinations())
    assert cell is not None
    training = cell.training()
    identity = json.loads(json.dumps({**training.by_value(), "seed": training.seed, "images": "x", "weights": None}))
    found = _training(identity, HERE)
    for key in ("detector", "input", "backbone", "head", "loss", "recipe", "reconstruction", "compute", "split", "seed"):
        assert getattr(found, key) == getattr(training, key), key


def test_a_part_of_another_version_is_refused(make: Callable[..., Grid]) -> None:
    (cell,) = (point.cell for point in make(axes={}).combinations())
    assert cell is not None
    identity = json.loads(json.dumps({**cell.training().by_value(), "seed": 0}))
    identity["head"]["version"] = 99
    with pytest.raises(BadInput, match="head gap_bn has another meaning in this version"):
        _training(identity, HERE)
    identity["head"] = {"name": "gone"}
    with pytest.raises(BadInput, match=r"unknown head 'gone'.*name a study's folder with --where instead"):
        _training(identity, HERE)


def test_what_is_no_network_of_a_ledger_is_refused(make: Callable[..., Grid], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file, and no study's folder"):
        find(tmp_path / "nothing.safetensors", {})
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match="no network of a ledger, which lies in"):
        find(tmp_path / "model.safetensors", {})
    with pytest.raises(BadInput, match="--where chooses a cell of a study"):
        find(tmp_path / "model.safetensors", {"rate": ["low"]})


def test_where_selects_one_trained_cell(make: Callable[..., Grid]) -> None:
    grid = make(axes={"rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}}})
    plan = make_plan(grid)
    write_plan(plan, grid)
    with pytest.raises(
        BadInput, match=r"selects 2 cells of .*, and this command takes one cell; choose one, such as --where rate=low"
    ):
        find(plan.study, {})
    with pytest.raises(BadInput, match=r"rate=low: not trained \(run\); launch the grid"):
        find(plan.study, {"rate": ["low"]})
    with pytest.raises(BadInput, match="axis 'rate' has no level 'lo'"):
        find(plan.study, {"rate": ["lo"]})


def test_a_result_that_no_longer_counts_is_refused(make: Callable[..., Grid]) -> None:
    grid = make(axes={})
    (stage,) = stages(make_plan(grid), "train")
    finish(grid, stage)
    (attempt,) = (store_of(grid) / "train" / stage.id).glob("0*-*")
    (attempt / "model.safetensors").write_bytes(b"")
    from grid.ledger.ledger import Ledger

    Ledger(store_of(grid)).void("train", stage.id, "a test")
    with pytest.raises(BadInput, match=r"not the result of its training \(the ledger counts none\)"):
        find(attempt / "model.safetensors", {})
    finish(grid, stage)
    with pytest.raises(BadInput, match=r"not the result of its training \(the ledger counts 000002-"):
        find(attempt / "model.safetensors", {})


def test_the_evaluations_of_the_cell_come_first_in_the_order_of_its_protocols(tmp_path: Path) -> None:
    """Then those of other grids that evaluated the same training, whose titles are not known."""
    ledger = Ledger(tmp_path / "store")
    for id in ("a0", "b1", "c2", "d3"):
        attempt = ledger.begin("evaluate", id, {"train": "other" if id == "d3" else "t", "flip_test": False})
        (attempt.path / "metrics.json").write_text("{}", encoding="utf-8")
        attempt.finish({}, {}, "", ["metrics.json"])
    names = [StageName("evaluate", "zebra"), StageName("evaluate", "lfw")]
    view: Any = SimpleNamespace(names=names, stages=dict(zip(names, ("c2", "b1"), strict=True)))
    marker: Any = SimpleNamespace(id="t")
    training: Any = None
    found = Trained(tmp_path, ledger, marker, training, None, view).evaluated()
    assert [one.title for one in found] == ["zebra", "lfw", "evaluation a0"]
