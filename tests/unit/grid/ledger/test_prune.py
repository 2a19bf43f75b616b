"""Pruning random histories changes no state, no result and no checkpoint to resume from; what it finds is found once."""

import uuid
from typing import Any

import pytest
from histories import ACTIONS, History
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.ledger.ledger import Ledger
from grid.ledger.lock import Lock
from grid.ledger.memory_store import MemoryStore
from grid.ledger.prune import ATTEMPT, CHECKPOINT, REMOVED, unneeded


def prune(ledger: Ledger, **more: Any) -> int:
    found = list(unneeded(ledger, **more))
    for one in found:
        ledger.store.delete(one.prefix)
    return sum(one.bytes for one in found)


def total(store: MemoryStore) -> int:
    return sum(store.size(key) or 0 for key in store.walk(""))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1)), max_size=25))
def test_random_histories_keep_all_that_is_needed(actions: list[tuple[str, int]]) -> None:
    history = History(MemoryStore(f"memory://{uuid.uuid4().hex}"))
    for action, stage in actions:
        history.do(action, stage)
    before, size = history.facts(), total(history.store)
    freed = prune(history.ledger)
    assert history.facts() == before
    assert size - total(history.store) == freed
    assert list(unneeded(history.ledger)) == []


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
    prune(history.ledger)
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
