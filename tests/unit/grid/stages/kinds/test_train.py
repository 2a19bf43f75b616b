"""What tracking shows of a training and of a pretraining."""

from pathlib import Path
from typing import Any

from grid.ledger.study import finished
from grid.spec.finished import Finished
from grid.spec.stage_kind import StageName, stage_kind


def test_a_training_logs_its_facts_and_keeps_its_weights_in_the_ledger(ran: Any) -> None:
    for name, place in (("train", ("history.json",)), ("pretrain", ("pretrain", "history.json"))):
        kind, marker = stage_kind(name), ran.marker(name)
        done = finished(ran.ledger, StageName(name), marker)
        assert kind.result(done) is None
        assert kind.logged(done)[(name, "epochs")] == marker.facts["epochs"]
        assert (name, "missing_faces") not in kind.logged(done) or marker.facts["missing_faces"] > 0
        assert kind.artifacts(done) == {"history.json": place}
        assert kind.epochs


def test_each_of_several_targets_has_numbers_in_tables_and_in_tracking() -> None:
    facts = {
        "epochs": 3, "kept_epoch": 2, "parameters": 10, "validation_loss": 1.5, "validation_accuracy": 0.75,
        "validation_images": 8, "classes": {"age_years": 0, "gender": 2}, "labeled_gender": 30, "labeled_age_years": 32,
        "validation_loss_gender": 0.5, "validation_accuracy_gender": 0.75,
        "validation_loss_age_years": 1.0, "validation_mae_age_years": 6.25,
    }  # fmt: skip
    kind, done = stage_kind("train"), Finished(StageName("train"), facts, (), Path, lambda name: None)
    result = kind.result(done)
    assert result == {
        "age_years": {"mae": {"value": 6.25}, "loss": {"value": 1.0}},
        "gender": {"accuracy": {"value": 0.75}, "loss": {"value": 0.5}},
    }
    columns = [(one.key, one.title, one.percent, one.lower_is_better, one.headline) for one in kind.measures([result])]
    assert columns == [
        ("gender:accuracy", "gender, accuracy", True, False, True),
        ("age_years:mae", "age_years, mean absolute error", False, True, True),
        ("age_years:loss", "age_years, loss", False, True, False),
        ("gender:loss", "gender, loss", False, True, False),
    ]
    assert {key: value for key, value in kind.logged(done).items() if key[0] == "targets"} == {
        ("targets", "gender accuracy"): 0.75, ("targets", "gender loss"): 0.5, ("targets", "age_years mae"): 6.25,
        ("targets", "age_years loss"): 1.0,
    }  # fmt: skip
    rows = {(one.split, one.metric): one.entry["value"] for one in kind.measured(done)}
    assert rows["validation", "gender:accuracy"] == 0.75
    assert rows["validation", "loss"] == 1.5
    assert rows["train", "labeled_gender"] == 30
    assert rows["train", "classes_gender"] == 2


def test_the_weights_of_a_pretraining_are_part_of_the_identity_of_the_training(ran: Any) -> None:
    assert ran.stages["train"].node.identity["weights"] == {"pretrain": ran.stages["pretrain"].id}
    assert ran.stages["train"].node.identity["detect"] == ran.stages["detect:data"].id
    assert ran.stages["pretrain"].node.identity["detect"] == ran.stages["detect:source"].id
