"""The property of tests/unit/grid/ledger/test_prune.py, on ten thousand histories that are pruned at any moments and go on."""

import uuid

import pytest
from histories import ACTIONS, History
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.ledger.memory_store import MemoryStore
from grid.ledger.prune import unneeded

pytestmark = pytest.mark.timeout(3600)


@settings(max_examples=10_000, deadline=None)
@given(st.lists(st.tuples(st.sampled_from((*ACTIONS, "prune", "remove")), st.integers(0, 1)), max_size=40))
def test_random_histories_keep_all_that_is_needed(actions: list[tuple[str, int]]) -> None:
    """Also those in which cells leave the grid, so that no cell needs a stage, and come back later."""
    never = History(MemoryStore(f"memory://{uuid.uuid4().hex}")).facts()
    history = History(MemoryStore(f"memory://{uuid.uuid4().hex}"))
    for action, stage in [*actions, ("prune", 0)]:
        if action not in ("prune", "remove"):
            history.do(action, stage)
            continue
        gone = {("train", history.ids[stage])} if action == "remove" else set()
        expected = history.facts()
        if gone:
            expected[stage] = never[stage]
            history.attempts.pop(stage, None)  # nothing computes it: that would hold its lease
        for one in list(unneeded(history.ledger, gone)):
            history.store.delete(one.prefix)
        assert history.facts() == expected
        assert list(unneeded(history.ledger, gone)) == []
