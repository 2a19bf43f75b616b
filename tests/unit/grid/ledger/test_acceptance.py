"""Acceptances of stale results, as the ledger keeps them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.acceptance import Acceptance, accept, accepted_lines
from grid.ledger.ledger import Ledger, State

ID = "a" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path)
    finish(found, "old")
    return found


def finish(ledger: Ledger, source: str) -> None:
    attempt = ledger.begin("train", ID, {"stage": "train"})
    (attempt.path / "model").write_text("x")
    attempt.finish({}, {}, source, ["model"])


def decide(ledger: Ledger, source: str, generation: int = 0, because: str = "only a name") -> None:
    accept(ledger.store, "train", ID, Acceptance(generation, source, "old", "ada@node7", 1.8e9, because))


def state(ledger: Ledger, source: str | None) -> tuple[Any, str | None]:
    found = ledger.status("train", ID, None, source)
    return found.state, found.accepted


def test_an_accepted_result_is_done_and_says_by_whom_when_and_why(ledger: Ledger) -> None:
    assert state(ledger, "new") == (State.STALE, None)
    decide(ledger, "new")
    words = f"only a name (ada@node7, {time.strftime('%Y-%m-%d', time.localtime(1.8e9))})"
    assert state(ledger, "new") == (State.DONE, words)
    assert state(ledger, None) == (State.DONE, words), "status and report do not compare code"
    assert state(ledger, "old") == (State.DONE, None), "the code that computed it needs no acceptance"


def test_an_acceptance_ends_with_the_next_change_of_the_code(ledger: Ledger) -> None:
    decide(ledger, "new")
    assert state(ledger, "newer") == (State.STALE, None)
    decide(ledger, "newer", because="still only names")
    assert state(ledger, "newer")[0] == State.DONE
    assert str(state(ledger, None)[1]).startswith("still only names")
    assert len([name for name in ledger.store.names(f"train/{ID}") if name.startswith("accepted-")]) == 2


def test_an_acceptance_ends_with_its_marker(ledger: Ledger) -> None:
    decide(ledger, "new")
    ledger.void("train", ID, "for the test")
    finish(ledger, "old")
    assert state(ledger, "new") == (State.STALE, None)


def test_a_damaged_acceptance_does_not_count(ledger: Ledger, tmp_path: Path) -> None:
    decide(ledger, "new")
    (file,) = (tmp_path / "train" / ID).glob("accepted-*")
    file.write_text(file.read_text().replace("ada", "eve"))
    assert state(ledger, "new") == (State.STALE, None)


def test_lines_join_what_has_one_reason() -> None:
    assert accepted_lines({"why": ["train of 2 cells", "explain of 1 cell"]}) == [
        "accepted although the code has changed since: train of 2 cells, explain of 1 cell: why"
    ]
