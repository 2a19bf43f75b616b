"""Events follow the attempts that were resumed, and only matching checkpoints are resumed."""

import pytest
from attempts import KEY, begin, epoch, finish, losses, only

from grid.ledger.ledger import Ledger


def test_events_come_in_order_and_whole_epochs_only(ledger: Ledger) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "a")
    epoch(attempt, 1, "half", whole=False, batch=3)
    epoch(attempt, 1, "b")
    assert losses(ledger) == [(0, "a"), (1, "b")]
    assert all(row["time"] > 0 for row in ledger.events(*KEY))


def test_events_follow_the_chain_of_resumed_attempts(ledger: Ledger) -> None:
    first = begin(ledger)
    for number in range(4):
        epoch(first, number, f"first {number}")
    for number in (2, 3):  # the last two checkpoints are lost
        (first.path / f"checkpoints/{number:03d}-0.pt").unlink()
    second = begin(ledger)
    origin = ledger.checkpoint(*KEY)
    assert origin is not None
    assert origin.row["position"] == [2, 0]
    second.resumed(origin)
    assert losses(ledger) == [(0, "first 0"), (1, "first 1")]  # what was after the checkpoint no longer counts
    epoch(second, 2, "second 2")
    third = begin(ledger)
    found = ledger.checkpoint(*KEY)
    assert found is not None
    third.resumed(found)
    epoch(third, 3, "third 3")
    assert losses(ledger) == [(0, "first 0"), (1, "first 1"), (2, "second 2"), (3, "third 3")]


def test_a_fresh_start_forgets_the_events_of_abandoned_attempts(ledger: Ledger) -> None:
    first = begin(ledger)
    epoch(first, 0, "first 0")
    epoch(first, 1, "first 1")
    second = begin(ledger)
    epoch(second, 0, "second 0")
    assert losses(ledger) == [(0, "second 0")]


def test_the_furthest_checkpoint_of_any_attempt_is_resumed(ledger: Ledger) -> None:
    first = begin(ledger)
    epoch(first, 0, "a")
    epoch(first, 1, "b", whole=False, batch=7)
    second = begin(ledger)
    epoch(second, 0, "c")
    found = ledger.checkpoint(*KEY)
    assert found is not None
    assert (found.attempt, found.row["position"], found.path.read_text()) == (first.folder, [1, 7], "b")


@pytest.mark.parametrize("damage", ["gone", "truncated", "event"])
def test_a_damaged_checkpoint_is_passed_over(ledger: Ledger, damage: str) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "whole")
    epoch(attempt, 1, "damaged")
    path = attempt.path / "checkpoints/001-0.pt"
    if damage == "gone":
        path.unlink()
    elif damage == "truncated":
        path.write_text("dama")
    else:
        (attempt.path / "events/000000002-000000000.json").write_text('{"epoch": 1, "posi')
    found = ledger.checkpoint(*KEY)
    assert found is not None
    assert found.path.read_text() == "whole"


def test_an_event_without_a_checkpoint_is_no_place_to_resume(ledger: Ledger) -> None:
    attempt = begin(ledger)
    attempt.event({"epoch": 0, "position": [1, 0], "whole": True, "loss": "a"}, None)
    assert ledger.checkpoint(*KEY) is None
    assert losses(ledger) == [(0, "a")]


def test_a_checkpoint_of_other_code_or_other_inputs_is_not_resumed(ledger: Ledger) -> None:
    epoch(begin(ledger, "code 1", {"up": "a"}), 0, "a")
    for source, inputs in (("code 2", {"up": "a"}), ("code 1", {"up": "b"}), ("code 1", {}), ("code 1", {"up": "a", "v": "c"})):
        assert begin(ledger, source, inputs).resumable() is None, (source, inputs)
    found = begin(ledger, "code 1", {"up": "a"}).resumable()
    assert found is not None
    assert found.path.read_text() == "a"


def test_no_attempt_that_began_before_a_marker_was_voided_is_resumed(ledger: Ledger) -> None:
    first = begin(ledger)
    epoch(first, 0, "first 0")
    second = begin(ledger)
    origin = second.resumable()
    assert origin is not None
    second.resumed(origin)
    epoch(second, 1, "second 1")
    finish(second, model="weights")
    ledger.void(*KEY, "--retry stale")
    third = begin(ledger)
    assert third.resumable() is None
    epoch(third, 0, "third 0")
    found = begin(ledger).resumable()
    assert found is not None
    assert found.path.read_text() == "third 0"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"attempts": 0, "digest": "0"}'])
def test_a_damaged_void_still_keeps_its_attempts_from_being_resumed(ledger: Ledger, damage: bytes) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "a")
    finish(attempt, model="weights")
    ledger.void(*KEY, "--retry stale")
    only(ledger, "void-000.json").write_bytes(damage)
    assert ledger.marker(*KEY) is None
    assert begin(ledger).resumable() is None


def test_a_checkpoint_whose_best_one_is_damaged_is_passed_over(ledger: Ledger) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "best")
    best = {"best_checkpoint": f"{attempt.prefix}/checkpoints/000-0.pt", "best_sha256": "0" * 64}
    (attempt.path / "checkpoints/001-0.pt").write_text("later")
    attempt.event({"epoch": 1, "position": [2, 0], "whole": True, **best}, "checkpoints/001-0.pt")
    found = attempt.resumable()
    assert found is not None
    assert found.path.read_text() == "best"
