"""The ledger finds damage: every object carries its digest."""

import json
import os
from pathlib import Path

import pytest
from attempts import KEY, begin, edit, epoch, finish, losses, only

from grid.ledger.ledger import SMALL, Cause, Damaged, Fenced, Ledger, State


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
