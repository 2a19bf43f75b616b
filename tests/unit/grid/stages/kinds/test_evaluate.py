"""What an evaluation shows, whatever its task."""

from pathlib import Path
from typing import Any

import pytest

from grid.ledger.study import finished
from grid.plan.plan import make_plan
from grid.spec.finished import Finished
from grid.spec.grid_file import BadInput
from grid.spec.stage_kind import StageName, stage_kind

KIND = stage_kind("evaluate")
LABEL = StageName("evaluate", "lfw view 1")


def stage(metrics: Any, **facts: Any) -> Finished:
    return Finished(LABEL, facts, ["metrics.json"] if metrics else [], Path, lambda name: metrics)


def test_its_numbers_are_those_of_metrics_json_under_the_title_of_the_protocol(ran: Any) -> None:
    done = finished(ran.ledger, StageName("evaluate", "drawn"), ran.marker("evaluate:drawn"))
    result = KIND.result(done)
    assert KIND.heading(done.label) == "drawn"
    assert {"ten_fold", "best_threshold", "eer", "auc"} <= {one.key for one in KIND.measures([result])}  # type: ignore[list-item]
    assert KIND.logged(done)[("drawn", "eer")] == result["eer"]["value"]  # type: ignore[index]
    assert ("drawn", "accuracy_ten_fold") in KIND.logged(done)


def test_the_task_that_the_numbers_name_says_which_columns_there_are() -> None:
    metrics = {"task": "identification", "cmc": {"1": {"value": 0.5}, "5": {"value": 0.75}}, "dir": {}}
    assert KIND.group([metrics]) == "identification"
    assert [one.title for one in KIND.measures([metrics])] == ["Rank 1", "Rank 5"]
    assert KIND.logged(stage(metrics)) == {("lfw view 1", "rank_1"): 0.5, ("lfw view 1", "rank_5"): 0.75}


def test_a_task_whose_module_is_not_at_hand_shows_every_number() -> None:
    metrics = {"task": "elsewhere.task", "share": {"value": 0.5}}
    assert [one.title for one in KIND.measures([metrics])] == ["share"]


def test_lost_images_are_logged_where_there_are_any() -> None:
    metrics = {"task": "elsewhere.task", "share": {"value": 0.5}}
    assert KIND.logged(stage(metrics, missing_faces=0, dropped_pairs=3)) == {
        ("lfw view 1", "share"): 0.5,
        ("lfw view 1", "dropped_pairs"): 3,
    }


def test_a_quick_look_without_numbers_has_no_result() -> None:
    assert KIND.result(stage(None)) is None
    assert KIND.logged(stage(None)) == {}


def test_headline_numbers_of_attributes_are_logged_and_all_of_them_are_a_table() -> None:
    age = {"accuracy": {"value": 0.5}, "balanced_accuracy": {"value": 0.4}, "ece": {"value": 0.1}}
    years = {"mae": {"value": 6.5}, "cumulative_score": {"value": 0.6, "tolerance": 5}, "unit": "years"}
    metrics = {"task": "attributes", "targets": {"age": age, "years": years}}
    assert KIND.logged(stage(metrics)) == {
        ("lfw view 1", "age accuracy"): 0.5,
        ("lfw view 1", "age balanced_accuracy"): 0.4,
        ("lfw view 1", "years mae"): 6.5,
        ("lfw view 1", "years cumulative_score"): 0.6,
    }
    assert KIND.artifacts(stage(metrics))["attributes.csv"] == ("metrics", "lfw view 1.csv")


OWN = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar, Literal
import numpy as np
from configs.data_interfaces import DatasetConfig, Manifest
from configs.lookup import component
from datamodules.evaluation_sets.tasks import TaskConfig

class Config(TaskConfig):
    name: Literal["own_tasks.NAME"] = "own_tasks.NAME"
    task: ClassVar[str] = "own_tasks.NAME"
    data: component("data")
    factor: float = 1.0
    def dataset(self) -> DatasetConfig:
        return self.data
    def asked(self, manifest: Manifest) -> Asked:
        return Asked(np.arange(len(manifest.keys)))

@dataclass(frozen=True)
class Asked:
    rows: np.ndarray
    digest = "the same images"

def rows(asked):
    return asked.rows

def evaluate(asked, seen, protocol):
    raise AssertionError("a plan computes nothing")
"""


def test_the_settings_and_the_name_of_a_users_task_are_part_of_the_identity(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_tasks").mkdir()
    for name in ("one", "two"):
        (tmp_path / "own_tasks" / f"{name}.py").write_text(OWN.replace("NAME", name))
    monkeypatch.syspath_prepend(tmp_path)
    data = {"name": "drawn", "subjects": 2, "shots": 2, "first": 100}
    asked = [("one", {}), ("one", {"factor": 1.0}), ("one", {"factor": 2.0}), ("two", {})]
    protocols = [
        {"name": f"own_tasks.{name}", "label": f"protocol {place}", "data": data, **settings}
        for place, (name, settings) in enumerate(asked)
    ]
    (cell,) = make_plan(make(axes={}, protocols=protocols, explainers=[])).cells
    ids = [cell.stages[f"evaluate:protocol {place}"] for place in range(len(asked))]
    assert ids[0] == ids[1]  # only the label differs
    assert len(set(ids)) == 3


def test_a_protocol_that_names_no_task_is_refused_in_one_line(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taskless").mkdir()
    module = OWN.replace("own_tasks.NAME", "taskless.it").replace("    task: ", "    other: ")
    (tmp_path / "taskless" / "it.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    data = {"name": "drawn", "subjects": 2, "shots": 2, "first": 100}
    grid = make(axes={}, protocols=[{"name": "taskless.it", "data": data}], explainers=[])
    with pytest.raises(BadInput, match="it has no pairs of images, so it needs a task"):
        make_plan(grid)
