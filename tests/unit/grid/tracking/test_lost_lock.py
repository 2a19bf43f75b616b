"""A pass stops before the next cell when the study's lock turns out to be lost."""

import json
from collections.abc import Callable

import pytest

from grid.ledger.lock import LockLost
from grid.ledger.study import Study
from grid.tracking.sync import MlflowSync, sync, sync_pass
from grid.tracking.uri import connect, tracking_of

AXES = {"detection": ["none", "mtcnn"]}


def test_a_pass_writes_nothing_after_the_lock_was_lost(new_study: Callable[..., Study]) -> None:
    study = new_study(axes=AXES, pairs=40, images=2, epochs=1)
    assert len(study.cells) == 2
    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) > 2:  # before the pass, before the first cell, before the second
            raise LockLost("taken over")

    with pytest.raises(LockLost):
        MlflowSync(study, tracking_of(study), check).once(report=True)
    client = connect(tracking_of(study))
    (experiment,) = [one for one in client.search_experiments() if one.name == study.name]
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert not (study.path / "mlflow.json").exists()
    with pytest.raises(LockLost):
        sync(study.path, check=check)
    assert len(sync_pass(study.path).runs) == 2
    assert len(json.loads((study.path / "mlflow.json").read_text())["runs"]) == 2
