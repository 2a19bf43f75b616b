"""What tracking shows of a training and of a pretraining."""

from typing import Any

from grid.ledger.study import finished
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


def test_the_weights_of_a_pretraining_are_part_of_the_identity_of_the_training(ran: Any) -> None:
    assert ran.stages["train"].node.identity["weights"] == {"pretrain": ran.stages["pretrain"].id}
    assert ran.stages["train"].node.identity["detect"] == ran.stages["detect:data"].id
    assert ran.stages["pretrain"].node.identity["detect"] == ran.stages["detect:source"].id
