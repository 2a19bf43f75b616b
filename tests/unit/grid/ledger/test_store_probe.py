"""Objects that several machines write to a store and read from it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from grid.ledger.store import LocalStore
from grid.ledger.store_probe import read_probe, write_probe


def test_one_of_all_nodes_creates_the_common_object_and_each_sees_all(tmp_path: Path) -> None:
    nodes = ["driver", "a", "b"]
    ends = [write_probe(str(tmp_path), "probe", node) for node in nodes]
    assert [end["error"] for end in ends] == [None, None, None]
    assert [end["first"] for end in ends] == [True, False, False]
    assert read_probe(str(tmp_path), "probe", nodes) == {"error": None, "seen": nodes}


def test_another_disk_shows_only_its_own_objects(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_probe(str(tmp_path / name), "probe", name)
    assert read_probe(str(tmp_path / "one"), "probe", ["one", "two"], patience=0.1)["seen"] == ["one"]


def test_an_object_with_other_content_does_not_count(tmp_path: Path) -> None:
    write_probe(str(tmp_path), "probe", "a")
    (tmp_path / "probe" / "a").write_bytes(b"")
    assert read_probe(str(tmp_path), "probe", ["a"], patience=0.1)["seen"] == []


def test_what_becomes_visible_late_is_waited_for(tmp_path: Path) -> None:
    timer = threading.Timer(0.6, write_probe, (str(tmp_path), "probe", "a"))
    began = time.monotonic()
    timer.start()
    assert read_probe(str(tmp_path), "probe", ["a"], patience=20)["seen"] == ["a"]
    assert time.monotonic() - began < 15
    timer.join()


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    end = write_probe(str(tmp_path / "store"), "probe", "a")
    assert end == {"error": "there is no such folder", "first": False}
    assert not (tmp_path / "store").exists()


def test_an_error_of_the_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStore, "put", full)
    assert write_probe(str(tmp_path), "probe", "a")["error"] == "cannot be written (No space left on device)"
    monkeypatch.setattr(LocalStore, "names", full)
    assert read_probe(str(tmp_path), "probe", ["a"])["error"] == "cannot be read (No space left on device)"


def test_an_unknown_scheme_is_reported() -> None:
    assert "unknown scheme 'ftp'" in write_probe("ftp://bucket", "probe", "a")["error"]
