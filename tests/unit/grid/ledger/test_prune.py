"""Pruning random histories changes no state, no result and no checkpoint to resume from; what it finds is found once."""

import json
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from histories import ACTIONS, History
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.ledger.ledger import Attempt, Ledger
from grid.ledger.lock import Lock
from grid.ledger.memory_store import MemoryStore
from grid.ledger.prune import ATTEMPT, CHECKPOINT, REMOVED, unneeded, without_removed
from grid.spec.grid_file import BadInput


def prune(ledger: Ledger, **more: Any) -> int:
    found = list(unneeded(ledger, **more))
    for one in found:
        ledger.store.delete(one.prefix)
    return sum(one.bytes for one in found)


def total(store: MemoryStore) -> int:
    return sum(store.size(key) or 0 for key in store.walk(""))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1)), max_size=25), st.sets(st.integers(0, 1)))
def test_random_histories_keep_all_that_is_needed(actions: list[tuple[str, int]], removed: set[int]) -> None:
    history = History(MemoryStore(f"memory://{uuid.uuid4().hex}"))
    for action, stage in actions:
        history.do(action, stage)
    before, size = history.facts(), total(history.store)
    gone = {("train", history.ids[stage]) for stage in removed}
    freed = prune(history.ledger, removed=gone)
    assert [history.facts()[stage] for stage in (0, 1) if stage not in removed] == [
        before[stage] for stage in (0, 1) if stage not in removed
    ]
    assert all(history.store.names("/".join(key)) == [] for key in gone)
    assert size - total(history.store) == freed
    assert list(unneeded(history.ledger, gone)) == []


STAGES = st.sets(st.sampled_from("abcdef"))
CELLS = st.lists(STAGES, max_size=3)


def study_of(cells: list[set[str]], hidden: list[set[str]], store: str = "one", own: bool = True) -> Any:
    def rows(several: list[set[str]]) -> list[dict[str, Any]]:
        return [{"stages": {id: id for id in sorted(ids)}} for ids in several]

    stages = [{"stage": "train", "id": id} for id in sorted(set().union(*cells, *hidden))]
    record = {"cells": rows(cells), "hidden": rows(hidden), "stages": stages, "store_id": store}
    path = Path("studies/mine")
    return SimpleNamespace(record=record, path=path, name="mine", store=path / "store" if own else Path("elsewhere"))


@given(CELLS, CELLS, st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=2), st.booleans())
def test_only_what_no_cell_of_any_study_needs_is_removed(
    cells: list[set[str]], hidden: list[set[str]], others: list[tuple[list[set[str]], list[set[str]]]], own: bool
) -> None:
    record, removed = without_removed(study_of(cells, hidden, own=own), [study_of(*other) for other in others])
    needed = set().union(*cells, *(ids for other in others for several in other for ids in several))
    assert {id for _, id in removed} == set().union(*hidden) - needed
    assert record["hidden"] == []
    assert {stage["id"] for stage in record["stages"]} == set().union(*cells, *hidden) - {id for _, id in removed}


def test_the_other_studies_of_a_shared_store_have_to_be_named() -> None:
    with pytest.raises(BadInput, match="name each of them with --shared-with STUDY"):
        without_removed(study_of([{"a"}], [{"b"}], own=False))
    with pytest.raises(BadInput, match="--shared-with studies/mine: its store is"):
        without_removed(study_of([{"a"}], [{"b"}], own=False), [study_of([], [], store="another")])


@pytest.fixture
def history() -> History:
    return History(MemoryStore(f"memory://{uuid.uuid4().hex}"))


def whats(history: History) -> list[str]:
    return [one.what for one in unneeded(history.ledger)]


def test_checkpoints_of_a_finished_stage_go(history: History) -> None:
    for action in ("begin", "event", "event"):
        history.do(action, 0)
    assert whats(history) == []
    history.do("finish", 0)
    assert whats(history) == [CHECKPOINT]


def test_attempts_that_were_replaced_go_and_their_curves_stay(history: History) -> None:
    for action in ("begin", "event", "output", "begin", "event", "finish"):
        history.do(action, 0)
    assert sorted(set(whats(history))) == sorted([ATTEMPT, CHECKPOINT])
    rows = history.ledger.events("train", history.ids[0])
    first = history.ledger.claims("train", history.ids[0])[0]["folder"]
    Attempt(history.ledger, "train", history.ids[0], 1, first[7:]).rescaled()
    prune(history.ledger)
    assert history.ledger.rescaled(f"train/{history.ids[0]}/{first}"), "spending would count it as lost"
    assert history.ledger.events("train", history.ids[0]) == rows != []
    assert history.ledger.attempts("train", history.ids[0]) == 2


def test_attempts_before_a_void_go_and_later_ones_stay(history: History) -> None:
    for action in ("begin", "event", "finish", "void"):
        history.do(action, 0)
    assert set(whats(history)) == {ATTEMPT}
    prune(history.ledger)
    for action in ("begin", "event"):
        history.do(action, 0)
    assert whats(history) == []
    assert history.ledger.checkpoint("train", history.ids[0]) is not None


def test_a_stage_that_is_being_computed_is_left_alone(history: History) -> None:
    for action in ("begin", "event", "finish"):
        history.do(action, 0)
    with Lock(history.store, "train", prefix=f"train/{history.ids[0]}/lease"):
        assert whats(history) == []
    assert whats(history) == [CHECKPOINT]


def test_removed_stages_go_with_all_records(history: History) -> None:
    for stage in (0, 1):
        for action in ("begin", "event", "finish"):
            history.do(action, stage)
    gone = ("train", history.ids[0])
    assert {one.prefix for one in unneeded(history.ledger, {gone}) if one.what == REMOVED} == {"/".join(gone)}
    prune(history.ledger, removed={gone})
    assert history.store.names("train") == [history.ids[1]]
    assert history.ledger.marker("train", history.ids[1]) is not None


def test_a_damaged_marker_is_left_to_a_launch(history: History) -> None:
    for action in ("begin", "event", "finish"):
        history.do(action, 0)
    history.store.put(f"train/{history.ids[0]}/done-000.json", b"{")
    assert whats(history) == []


def test_the_shards_of_a_removed_detection_go_with_it_and_others_stay(history: History) -> None:
    detection = history.ids[0]
    shards = [f"{id}-000000000-000000008" for id in history.ids]
    for kind, id in [("detect", detection), *(("detect_shard", shard) for shard in shards)]:
        attempt = history.ledger.begin(kind, id, {})
        (attempt.path / "table").write_bytes(b"boxes")
        attempt.finish({}, {}, "code", ["table"])
    prune(history.ledger, removed={("detect", detection)})
    assert history.store.names("detect") == []
    assert history.store.names("detect_shard") == [shards[1]]


def test_a_study_in_the_same_folder_with_the_same_store_has_to_be_named(tmp_path: Path) -> None:
    def placed(name: str, store: str) -> Any:
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(json.dumps({"store": store}))
        found = study_of([set("a")], [set("b")])
        found.path, found.name, found.store = tmp_path / name, name, tmp_path / name / store
        return found

    mine, other = placed("mine", "store"), placed("other", str(tmp_path / "mine/store"))
    placed("copied", "store")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/plan.json").write_text("{")
    with pytest.raises(BadInput, match=r"add --shared-with .*/other$"):
        without_removed(mine)
    assert without_removed(mine, [other])[1] == set(), "the other one has it among its removed cells"
