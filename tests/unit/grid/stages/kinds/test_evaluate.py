"""What an evaluation shows, whatever its task."""

from pathlib import Path
from typing import Any

from grid.ledger.study import finished
from grid.spec.finished import Finished
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
