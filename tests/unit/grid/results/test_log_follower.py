"""Following a study reads what may have changed, and shows in the end what a single look shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.results import log_follower
from grid.results.log_follower import LogFollower
from grid.results.logs import logged_stages, rows_of
from grid.spec.grid_file import BadInput

AXES = {"backbone": ["alexnet", "resnet34", "efficientnet_b1"]}


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(axes=AXES, unfinished=[{"backbone": "efficientnet_b1"}], pairs=40, explainers=(), epochs=2)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often objects of each stage were read, by its id; empty it between two looks."""
    found: Counter[str] = Counter()
    get = LocalStore.get

    def counted(store: LocalStore, key: str) -> bytes | None:
        if key.count("/") >= 2:
            found[key.split("/")[1]] += 1
        return get(store, key)

    monkeypatch.setattr(LocalStore, "get", counted)
    return found


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_later_looks_read_only_stages_without_a_result(study: Study, reads: Counter[str]) -> None:
    follower = LogFollower(study.path, None, None)
    rows, alive = follower.look()
    assert not alive
    assert texts(rows) == texts([row for one in logged_stages(study, None, None) for row in rows_of(study.ledger, one)])
    done = {cell.stages[name] for cell in study.cells for name in cell.markers}
    unfinished = study.cells[2].stages["train"]
    assert done <= reads.keys()
    reads.clear()
    assert follower.look() == ([], False)
    assert set(reads) == {unfinished}
    attempt = study.ledger.begin("train", unfinished, {})
    assert [row["message"].partition(" on ")[0] for row in follower.look()[0]] == ["attempt 2 began"]
    attempt.finish({"epochs": 2}, {}, "s", [])
    assert [row["message"].partition(" in ")[0] for row in follower.look()[0]] == ["done"]
    reads.clear()
    assert follower.look() == ([], False)
    assert not reads


def test_a_finished_stage_that_is_computed_again_is_seen_at_the_next_whole_look(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_follower, "WHOLE", 3)
    follower = LogFollower(study.path, None, "train")
    follower.look()
    id = study.cells[0].stages["train"]
    study.ledger.void("train", id, "it was damaged")
    found = [[row["message"] for row in follower.look()[0]] for _ in range(3)]
    assert found == [[], [], ["its result no longer counts: it was damaged"]]


def test_what_runs_outside_of_the_choice_keeps_it_alive(study: Study) -> None:
    follower = LogFollower(study.path, {"backbone": ["alexnet"]}, "train")
    rows, alive = follower.look()
    assert {row["cell"] for row in rows} == {"backbone=alexnet"}
    assert not alive
    id = study.cells[2].stages["train"]
    with Lock(study.ledger.store, "train", prefix=f"train/{id}/lease"):
        assert follower.look() == ([], True)
    assert follower.look() == ([], False)
    with Lock(LocalStore(study.path), "launch of it"):
        assert follower.look() == ([], True)


def test_shards_of_a_detection_that_a_worker_computes_keep_it_alive(make_study: Callable[..., Study]) -> None:
    study = make_study(axes={"detection": ["mtcnn"]}, unfinished=[{}], pairs=40, explainers=())
    name = next(name for name in study.cells[0].names if name.kind == "detect")
    id = study.cells[0].stages[name]
    (study.ledger.store.local(f"detect/{id}") / "done-000.json").unlink()
    shard = f"{id}-000000000-000000009"
    study.ledger.begin("detect_shard", shard, {})
    follower = LogFollower(study.path, None, None)
    assert follower.look()[1] is False
    with Lock(study.ledger.store, "detect", prefix=f"detect_shard/{shard}/lease"):
        assert follower.look()[1] is True
    assert follower.left


def test_nothing_is_left_once_every_stage_has_ended(study: Study) -> None:
    follower = LogFollower(study.path, {"backbone": ["alexnet"]}, "train")
    follower.look()
    assert follower.left, "also what is not shown counts"
    record = json.loads((study.path / "plan.json").read_text())
    (study.path / "plan.json").write_text(json.dumps({**record, "cells": record["cells"][:1]}))
    follower = LogFollower(study.path, None, None)
    follower.look()
    assert not follower.left


def test_cells_that_a_launch_adds_are_followed_too(study: Study) -> None:
    record = json.loads((study.path / "plan.json").read_text())
    every = record["cells"]
    (study.path / "plan.json").write_text(json.dumps({**record, "cells": every[:1]}))
    follower = LogFollower(study.path, None, "train")
    assert {row["cell"] for row in follower.look()[0]} == {"backbone=alexnet"}
    (study.path / "plan.json").write_text(json.dumps({**record, "cells": every}))
    assert {row["cell"] for row in follower.look()[0]} == {"backbone=resnet34", "backbone=efficientnet_b1"}


def test_an_unknown_level_or_stage_is_refused(study: Study) -> None:
    with pytest.raises(BadInput, match="--where"):
        LogFollower(study.path, {"backbone": ["vgg16"]}, None)
    with pytest.raises(BadInput, match="--stage"):
        LogFollower(study.path, None, "trian")
