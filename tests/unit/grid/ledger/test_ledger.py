"""The ledger: markers come last and once, and stale attempts are fenced."""

import json
import time
from pathlib import Path

import pytest
from attempts import KEY, begin, epoch, finish, only, write

from grid.ledger.ledger import Cause, Fenced, Ledger, State
from grid.ledger.lock import Lock


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


# -- several launches over one store


def test_a_lost_process_does_not_fail_the_attempt_of_another_launch(ledger: Ledger) -> None:
    ours = ledger.begin(*KEY, {}, about={"launch": "ours"})
    with Lock(ledger.store, "their worker", prefix=f"{'/'.join(KEY)}/lease"):
        theirs = ledger.begin(*KEY, {}, about={"launch": "theirs"})
        for token in ("ours", ""):
            ledger.lost(*KEY, {}, "lost too often", token)
            assert (ledger.failure(*KEY), ledger.attempts(*KEY)) == (None, 2)
        theirs.check()
        ledger.lost(*KEY, {}, "their launch lost it", "theirs")  # on another node, its lease lasts for another minute
    failure = ledger.failure(*KEY)
    assert failure is not None
    assert (failure.attempt, failure.error) == (theirs.number, "their launch lost it")
    assert ours.number < theirs.number


def test_a_lost_process_fails_an_attempt_of_its_own_launch_where_another_one_left_one(ledger: Ledger) -> None:
    ledger.begin(*KEY, {}, about={"launch": "killed long ago"})
    ledger.lost(*KEY, {}, "lost before it began", "ours")
    failure = ledger.failure(*KEY)
    assert failure is not None
    assert failure.attempt == 2
    assert [claim["launch"] for claim in ledger.claims(*KEY)] == ["killed long ago", "ours"]


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
