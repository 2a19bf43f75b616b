"""Log lines of an attempt: whole objects, soon in the store, bounded, harmless on a full disk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from grid.ledger import attempt_log
from grid.ledger.attempt_log import AttemptLog, read_log
from grid.ledger.store import LocalStore


def messages(store: LocalStore) -> list[str]:
    return [row["message"] for row in read_log(store, "train/a/000001-x")]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_lines_come_back_in_order_with_their_fields(store: LocalStore) -> None:
    before = time.time()
    with AttemptLog(store, "train/a/000001-x") as log:
        log.write("info", "timm", "loaded", layers=3, path=Path("/x"))
        log.flush()
        log.write("warning", "torch", "slow\nline")
    rows = list(read_log(store, "train/a/000001-x"))
    assert [(row["level"], row["source"], row["message"]) for row in rows] == [
        ("info", "timm", "loaded"),
        ("warning", "torch", "slow\nline"),
    ]
    assert (rows[0]["layers"], rows[0]["path"]) == (3, "/x")
    assert before <= rows[0]["time"] <= rows[1]["time"] <= time.time()
    assert store.names("train/a/000001-x/log") == ["000001.jsonl", "000002.jsonl"]


def test_lines_are_readable_while_the_attempt_runs(store: LocalStore) -> None:
    with AttemptLog(store, "train/a/000001-x", seconds=0.05) as log:
        log.write("info", "a", "one")
        limit = time.monotonic() + 20
        while not messages(store):
            assert time.monotonic() < limit
            time.sleep(0.02)
    assert messages(store) == ["one"], "written once"


def test_an_attempt_without_lines_writes_no_object(store: LocalStore) -> None:
    with AttemptLog(store, "train/a/000001-x", seconds=0.01):
        time.sleep(0.1)
    assert list(store.walk("")) == []


def test_too_many_lines_are_counted(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_log, "MOST", 3)
    with AttemptLog(store, "train/a/000001-x") as log:
        for number in range(5):
            log.write("info", "a", str(number))
    assert messages(store) == ["0", "1", "2", "2 more lines were left out"]


def test_a_full_disk_costs_no_stage_and_lines_wait_for_room(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    create = LocalStore.create

    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    with AttemptLog(store, "train/a/000001-x") as log:
        log.write("info", "a", "one")
        monkeypatch.setattr(LocalStore, "create", full)
        log.flush()
        monkeypatch.setattr(LocalStore, "create", create)
    assert messages(store) == ["one"]


def test_a_damaged_line_is_left_out(store: LocalStore) -> None:
    with AttemptLog(store, "train/a/000001-x") as log:
        log.write("info", "a", "one")
        log.write("info", "a", "two")
    file = store.local("train/a/000001-x/log/000001.jsonl")
    file.write_text(file.read_text()[5:] + "[]\n")
    assert messages(store) == ["two"]
