from pathlib import Path

from grid.ledger import Ledger
from grid.trial import Job, Surroundings, run


def job(store: Path, **changes: object) -> Job:
    facts = {"kind": "explain", "id": "a" * 32, "label": "explain:x", "needs": {}, "identity": {}, "config": {}, "source": ""}
    return Job(**{**facts, "store": str(store), **changes})  # type: ignore[arg-type]


def test_a_component_that_the_worker_cannot_import_is_named_and_costs_no_attempt(tmp_path: Path) -> None:
    foreign = job(tmp_path, config={"explainer": {"name": "nowhere.method"}})
    outcome = run(foreign, Surroundings())
    assert outcome.ended == "failed"
    assert "'nowhere.method'" in str(outcome.error)
    assert "same code" in str(outcome.error)
    assert Ledger(tmp_path).attempts("explain", foreign.id) == 0


def test_other_sources_than_the_driver_s_are_refused(tmp_path: Path) -> None:
    outcome = run(job(tmp_path, source="0" * 64), Surroundings())
    assert outcome.ended == "failed"
    assert "other sources" in str(outcome.error)
    assert Ledger(tmp_path).attempts("explain", "a" * 32) == 0
