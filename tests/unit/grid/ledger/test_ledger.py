"""The ledger: markers come last and once, stale attempts are fenced, checkpoints are found again."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.ledger import SMALL, Attempt, Cause, Damaged, Fenced, Ledger, Marker, State

KEY = ("train", "0123abcd")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "store")


def begin(ledger: Ledger, source: str = "sources", inputs: dict[str, str] | None = None) -> Attempt:
    return ledger.begin(*KEY, {"what": "it is"}, source, inputs)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1, (old, text)
    path.write_text(text.replace(old, new, 1))


def only(ledger: Ledger, pattern: str) -> Path:
    (found,) = ledger.store.local("/".join(KEY)).glob(pattern)
    return found


def write(attempt: Attempt, **files: str) -> None:
    for name, text in files.items():
        (attempt.path / name).write_text(text)


def finish(attempt: Attempt, inputs: dict[str, str] | None = None, **files: str) -> Marker:
    write(attempt, **files)
    return attempt.finish({"images": 3}, inputs or {}, "sources", files)


def epoch(attempt: Attempt, number: int, text: str, whole: bool = True, batch: int = 0) -> None:
    """An event with a checkpoint, as a training leaves it."""
    name = f"checkpoints/{number:03d}-{batch}.pt"
    (attempt.path / "checkpoints").mkdir(exist_ok=True)
    (attempt.path / name).write_text(text)
    position = [number + 1, 0] if whole else [number, batch]
    attempt.event({"epoch": number, "position": position, "whole": whole, "loss": text}, name)


def losses(ledger: Ledger) -> list[Any]:
    return [(row["epoch"], row["loss"]) for row in ledger.events(*KEY)]


def test_nothing_is_known_of_what_was_never_begun(ledger: Ledger) -> None:
    assert ledger.marker(*KEY) is None
    assert ledger.failure(*KEY) is None
    assert ledger.checkpoint(*KEY) is None
    assert ledger.attempts(*KEY) == 0
    assert ledger.events(*KEY) == []
    assert ledger.done_ids("train") == []


def test_each_attempt_writes_under_a_prefix_of_its_own(ledger: Ledger) -> None:
    one, two = begin(ledger), begin(ledger)
    assert (one.number, two.number) == (1, 2)
    assert one.prefix == f"train/0123abcd/000001-{one.token}"
    assert one.path != two.path
    assert ledger.attempts(*KEY) == 2


def test_a_stage_is_open_until_its_marker_is_there(ledger: Ledger, tmp_path: Path) -> None:
    attempt = begin(ledger)
    write(attempt, model="weights")
    assert ledger.marker(*KEY) is None
    made = finish(attempt, model="weights")
    found = ledger.marker(*KEY)
    assert found == made
    assert found is not None
    assert ledger.path(found, "model").read_text() == "weights"
    assert found.facts == {"images": 3}
    newest = max((tmp_path / "store").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "done-000.json"  # the last thing that was written


def test_the_second_marker_of_a_generation_loses(ledger: Ledger) -> None:
    attempt = begin(ledger)
    first = finish(attempt, model="one")
    again = finish(attempt, model="two")  # as a worker that repeats itself
    assert again == first == ledger.marker(*KEY)


def test_equal_results_have_equal_content_whoever_made_them(tmp_path: Path) -> None:
    here, there = Ledger(tmp_path / "a"), Ledger(tmp_path / "b")
    one = finish(begin(here), **{"model": "weights", "timing.json": "1 s"})
    begin(there)
    two = finish(begin(there), **{"model": "weights", "timing.json": "2 s"})
    assert one.content == two.content
    assert one.attempt != two.attempt
    begin(there)
    there.void(*KEY, "for the test")
    other = finish(begin(there), **{"model": "other", "timing.json": "1 s"})
    assert other.content != one.content


@pytest.mark.parametrize("damage", ["gone", "shorter", "edited"])
def test_a_damaged_output_is_found(ledger: Ledger, damage: str) -> None:
    marker = finish(begin(ledger), model="weights", history="rows")
    path = ledger.path(marker, "model")
    if damage == "gone":
        path.unlink()
    else:
        path.write_text("weight" if damage == "shorter" else "Weights")
    words = {"gone": "is gone", "shorter": "has 6 bytes, not the 7", "edited": "was changed after it was written"}[damage]
    with pytest.raises(Damaged, match=words):
        ledger.path(marker, "model")
    assert ledger.path(marker, "history").read_text() == "rows"
    assert words in str(ledger.damage(marker))
    assert words in str(ledger.damage(marker, digests=True))
    status = ledger.status(*KEY)
    assert (status.state, status.cause, status.generation) == (State.RUN, Cause.DAMAGE, 0)


def test_a_large_output_is_read_when_its_stamp_has_changed(ledger: Ledger) -> None:
    marker = finish(begin(ledger), model="w" * (SMALL + 1))
    path = ledger.path(marker, "model")
    before = path.stat()
    path.write_text("w" * SMALL + "W")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a disk that loses a bit
    assert ledger.damage(marker) is None
    assert "was changed" in str(ledger.damage(marker, digests=True))
    os.utime(path)
    assert "was changed" in str(ledger.damage(marker))
    path.write_text("w" * (SMALL + 1))
    assert ledger.damage(marker) is None, "as in a copied store: another time, the same bytes"


def test_an_undamaged_stage_has_no_damage(ledger: Ledger) -> None:
    marker = finish(begin(ledger), model="weights")
    assert ledger.damage(marker) is None
    assert ledger.damage(marker, digests=True) is None


def test_a_marker_that_cannot_be_read_is_damage_until_it_is_void(ledger: Ledger, tmp_path: Path) -> None:
    finish(begin(ledger), model="weights")
    (tmp_path / "store/train/0123abcd/done-000.json").write_text('{"kind": "tra')
    with pytest.raises(Damaged, match=r"done-000\.json is not valid JSON"):
        ledger.marker(*KEY)
    status = ledger.status(*KEY)
    assert (status.state, status.cause, status.marker) == (State.RUN, Cause.DAMAGE, None)
    ledger.void(*KEY, "not a marker", status.generation)
    assert ledger.marker(*KEY) is None


def test_a_void_marker_makes_room_for_the_next_generation(ledger: Ledger, tmp_path: Path) -> None:
    first = finish(begin(ledger), model="weights")
    ledger.void(*KEY, "its file was edited")
    assert ledger.marker(*KEY) is None
    second = finish(begin(ledger), model="weights")
    assert (first.generation, second.generation) == (0, 1)
    assert ledger.marker(*KEY) == second
    assert second.content == first.content
    assert json.loads((tmp_path / "store/train/0123abcd/void-000.json").read_text())["reason"] == "its file was edited"


def test_a_stale_attempt_is_fenced(ledger: Ledger) -> None:
    stale = begin(ledger)
    epoch(stale, 0, "a")
    young = begin(ledger)
    write(stale, model="stale")
    with pytest.raises(Fenced, match="attempt 1 was overtaken by attempt 2"):
        stale.event({"epoch": 1, "position": [2, 0], "whole": True}, None)
    with pytest.raises(Fenced):
        finish(stale, model="stale")
    assert ledger.marker(*KEY) is None
    made = finish(young, model="young")
    assert ledger.path(made, "model").read_text() == "young"
    with pytest.raises(Fenced):
        finish(stale, model="stale")
    assert ledger.marker(*KEY) == made


def test_a_failure_stands_until_it_is_forgiven(ledger: Ledger) -> None:
    begin(ledger).fail("ValueError: no", "Traceback", deterministic=True)
    failure = ledger.failure(*KEY)
    assert failure is not None
    assert (failure.attempt, failure.error, failure.deterministic) == (1, "ValueError: no", True)
    ledger.forgive(*KEY)
    assert ledger.failure(*KEY) is None
    ledger.forgive(*KEY)  # nothing stands; nothing happens
    begin(ledger).fail("ValueError: again", "Traceback", deterministic=True)
    again = ledger.failure(*KEY)
    assert again is not None
    assert again.error == "ValueError: again"


def test_a_failure_ends_when_another_attempt_begins(ledger: Ledger) -> None:
    begin(ledger).fail("ValueError: no", "Traceback", deterministic=True)
    begin(ledger)
    assert ledger.failure(*KEY) is None


def test_a_lost_process_is_a_failure_that_can_be_forgiven(ledger: Ledger) -> None:
    ledger.lost(*KEY, {"what": "it is"}, "lost too often")  # it never came to begin
    failure = ledger.failure(*KEY)
    assert failure is not None
    assert not failure.deterministic
    ledger.forgive(*KEY)
    ledger.lost(*KEY, {"what": "it is"}, "lost once more")  # again before it began
    failure = ledger.failure(*KEY)
    assert failure is not None
    assert failure.error == "lost once more"


def test_a_lost_process_fails_the_attempt_that_it_had_begun(ledger: Ledger) -> None:
    begin(ledger)
    ledger.lost(*KEY, {}, "lost too often")
    assert ledger.attempts(*KEY) == 1
    assert ledger.failure(*KEY) is not None


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


# -- every object carries its digest


def test_a_changed_fact_in_a_marker_is_damage(ledger: Ledger) -> None:
    finish(begin(ledger), model="weights")
    edit(only(ledger, "done-000.json"), '"images":3', '"images":4')
    with pytest.raises(Damaged, match="changed after it was written"):
        ledger.marker(*KEY)
    assert ledger.status(*KEY).cause == Cause.DAMAGE


def test_the_marker_of_another_stage_is_damage(ledger: Ledger) -> None:
    finish(begin(ledger), model="weights")
    other = ledger.begin("train", "another", {})
    (other.path / "model").write_text("other")
    other.finish({}, {}, "sources", ["model"])
    ledger.store.put("train/0123abcd/done-000.json", ledger.store.get("train/another/done-000.json") or b"")
    with pytest.raises(Damaged, match="the marker of another stage"):
        ledger.marker(*KEY)


def test_an_object_without_a_digest_is_of_an_older_version_and_counts(ledger: Ledger) -> None:
    made = finish(begin(ledger), model="weights")
    path = only(ledger, "done-000.json")
    text = json.loads(path.read_text())
    del text["digest"]
    path.write_text(json.dumps(text))
    assert ledger.marker(*KEY) == made


def test_an_event_with_a_changed_digit_counts_as_none(ledger: Ledger) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "0.51")
    epoch(attempt, 1, "0.42")
    edit(attempt.path / "events/000000002-000000000.json", "0.42", "0.43")
    assert losses(ledger) == [(0, "0.51")]
    found = ledger.checkpoint(*KEY)
    assert found is not None
    assert found.row["position"] == [1, 0]


@pytest.mark.parametrize("data", [None, b"", b"{", b'{"attempt": 1, "error": "x"}', b"\xff\xfe"])
def test_a_damaged_failure_is_none_and_the_stage_runs_again(ledger: Ledger, data: bytes | None) -> None:
    begin(ledger).fail("ValueError: no", "Traceback", deterministic=True)
    path = only(ledger, "failed-000001.json")
    path.unlink() if data is None else path.write_bytes(data)
    assert ledger.failure(*KEY) is None
    assert ledger.status(*KEY).state == State.RUN
    begin(ledger).fail("ValueError: still", "Traceback", deterministic=True)
    assert ledger.status(*KEY).reason == "ValueError: still"


def test_lost_claims_change_nothing(ledger: Ledger) -> None:
    first = begin(ledger)
    first.fail("ValueError: no", "Traceback", deterministic=True)
    only(ledger, "claims/000001.json").unlink()
    assert ledger.status(*KEY).reason == "ValueError: no"
    first.check()  # no younger attempt
    second = begin(ledger)
    assert second.number == 2, "the first one's number is taken"
    with pytest.raises(Fenced):
        first.check()


def test_a_damaged_identity_is_written_again_by_the_next_attempt(ledger: Ledger) -> None:
    begin(ledger)
    path = only(ledger, "identity.json")
    for damage in (b"", path.read_bytes()[:9], path.read_bytes().replace(b"it is", b"it iz")):
        path.write_bytes(damage)
        assert ledger.identity(*KEY) == {}
        begin(ledger)
        assert ledger.identity(*KEY) == {"what": "it is"}


def test_a_lost_note_of_resuming_is_found_in_the_events(ledger: Ledger) -> None:
    epoch(begin(ledger), 0, "first 0")
    second = begin(ledger)
    origin = second.resumable()
    assert origin is not None
    second.resumed(origin)
    epoch(second, 1, "second 1")
    (second.path / "resumed.json").write_bytes(b"{")
    assert losses(ledger) == [(0, "first 0"), (1, "second 1")]


# -- what may be resumed


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


# -- several launches over one store


def test_a_marker_that_was_made_since_is_not_voided(ledger: Ledger) -> None:
    finish(begin(ledger), model="damaged")
    ledger.path(ledger.marker(*KEY), "model").unlink()  # type: ignore[arg-type]
    seen = ledger.status(*KEY)
    ledger.void(*KEY, "by another launch", seen.generation)
    made = finish(begin(ledger), model="weights")  # by that launch
    ledger.void(*KEY, "what the plan saw", seen.generation)
    assert ledger.marker(*KEY) == made


def test_a_stage_whose_input_is_open_has_nothing_to_void(ledger: Ledger) -> None:
    made = finish(begin(ledger), inputs={"up": "a"}, model="weights")
    status = ledger.status(*KEY, {"up": None})
    assert (status.state, status.cause, status.generation) == (State.RUN, Cause.DEPENDENCY, None)
    assert status.marker == made


def test_a_marker_after_a_lost_one_counts(ledger: Ledger) -> None:
    finish(begin(ledger), model="weights")
    ledger.void(*KEY, "for the test")
    only(ledger, "done-000.json").unlink()
    made = finish(begin(ledger), model="weights")
    assert made.generation == 1
    assert ledger.marker(*KEY) == made


# -- clocks


def test_no_stage_ends_before_it_began_where_the_clock_is_set_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = begin(ledger)
    epoch(attempt, 0, "a")
    monkeypatch.setattr(time, "time", lambda: attempt.started - 14_400)
    epoch(attempt, 1, "b")
    made = finish(attempt, model="weights")
    assert 0 <= made.finished - made.started < 60
    times = [row["time"] for row in ledger.events(*KEY)]
    assert times == sorted(times)
    assert attempt.started <= times[-1] <= made.finished
    second = begin(ledger)  # hours before the first
    origin = second.resumable()
    assert origin is not None
    second.resumed(origin)
    epoch(second, 2, "c")
    times = [row["time"] for row in ledger.events(*KEY)]
    assert times == sorted(times)
