"""Conformance tests for stores: derive from the class and define a fixture ``store`` that returns an empty store.

from store_conformance import StoreConformance

class TestMyStore(StoreConformance):
    @pytest.fixture
    def store(self):
        return MyStore("mystores.mine://test")
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.ledger import Fenced, Ledger
from grid.ledger.store_interface import Store


def one_of_many_wins(store: Store, races: int) -> None:
    """Eight threads create the same object at the same time."""
    for number in range(races):
        won: list[int] = []
        start = threading.Barrier(8)

        def create(n: int, number: int = number, won: list[int] = won, start: Any = start) -> None:
            start.wait()
            if store.create(f"race/{number}", b"%d" % n):
                won.append(n)

        threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get(f"race/{number}") == b"%d" % won[0]


class StoreConformance:
    """Each test checks one property of stores."""

    def test_what_is_put_is_got(self, store: Store) -> None:
        store.put("a/b/c.json", b"one")
        found = store.stat("a/b/c.json")
        assert found is not None
        assert (store.get("a/b/c.json"), found.size, store.size("a/b/c.json")) == (b"one", 3, 3)
        store.put("empty", b"")
        assert (store.get("empty"), store.size("empty")) == (b"", 0)

    def test_every_byte_is_kept(self, store: Store) -> None:
        data = bytes(range(256)) * 5000
        store.put("a", data)
        assert store.get("a") == data
        with store.open_input("a") as file:
            assert file.read(300) == data[:300]
            assert file.read() == data[300:]

    def test_put_replaces_and_the_stamp_tells(self, store: Store) -> None:
        store.put("a", b"one")
        before = store.stat("a")
        assert store.stat("a") == before
        store.put("a", b"two")
        assert store.get("a") == b"two"
        assert store.stat("a") != before

    def test_what_is_absent_is_none(self, store: Store) -> None:
        store.put("file", b"x")
        store.put("folder/file", b"x")
        for key in ("a", "a/b", "file/b", "folder/other", "folder/file/b", "fold"):
            assert store.get(key) is None, key
            assert store.stat(key) is None, key
            assert store.size(key) is None, key
            assert store.names(key) == [], key
            with pytest.raises(OSError, match=key):
                store.open_input(key)
            with pytest.raises(OSError, match=key):
                store.materialize(key)

    def test_create_makes_an_object_once(self, store: Store) -> None:
        assert store.create("a/b", b"first")
        assert not store.create("a/b", b"second")
        assert store.get("a/b") == b"first"
        store.delete("a/b")
        assert store.create("a/b", b"third")

    def test_of_many_creators_one_wins(self, store: Store) -> None:
        one_of_many_wins(store, races=10)

    def test_names_are_sorted_unique_and_one_level_deep(self, store: Store) -> None:
        for key in ("x/b/2", "x/a/1", "x/b/1", "x/c", "xy/d"):
            store.put(key, b"")
        assert store.names("x") == ["a", "b", "c"]
        assert store.names("") == ["x", "xy"]

    def test_walk_lists_all_objects_below_a_prefix(self, store: Store) -> None:
        for key in ("x/b/2", "x/a/1", "x/b/c/1", "x/c", "y"):
            store.put(key, b"")
        assert sorted(store.walk("x")) == ["a/1", "b/2", "b/c/1", "c"]
        assert list(store.walk("nothing")) == []

    def test_delete_takes_objects_and_prefixes(self, store: Store) -> None:
        for key in ("x/a", "x/b/1", "x/b/2", "x/bc", "y"):
            store.put(key, b"")
        store.delete("x/b")
        store.delete("y")
        store.delete("never/there")
        assert sorted(store.walk("")) == ["x/a", "x/bc"]

    def test_files_are_uploaded_and_read_on_this_machine(self, store: Store, tmp_path: Path) -> None:
        file = tmp_path / "model.bin"
        file.write_bytes(b"weights" * 1000)
        store.upload(file, "a/model.bin")
        assert store.get("a/model.bin") == b"weights" * 1000
        found = store.materialize("a/model.bin")
        assert found.name == "model.bin"
        assert found.read_bytes() == b"weights" * 1000
        store.put("a/model.bin", b"other")
        assert store.materialize("a/model.bin").read_bytes() == b"other"

    def test_what_is_written_in_a_scratch_folder_can_be_uploaded_from_there(self, store: Store) -> None:
        scratch = store.scratch("a/attempt")
        (scratch / "model.bin").write_bytes(b"weights")
        (scratch / "sub").mkdir()
        (scratch / "sub/one").write_bytes(b"1")
        (scratch / "two").write_bytes(b"2")
        store.upload(scratch / "model.bin", "a/attempt/model.bin")
        store.upload_all(scratch, "a/attempt", ("sub/one", "two"))
        store.discard(scratch)
        assert store.get("a/attempt/model.bin") == b"weights"
        assert store.get("a/attempt/sub/one") == b"1"
        assert sorted(store.walk("a/attempt")) == ["model.bin", "sub/one", "two"]

    def test_messages_name_the_place_of_an_object(self, store: Store) -> None:
        assert store.place("a/b").endswith("a/b")
        assert store.place("a/b").startswith(store.url)

    def test_caches_have_a_folder_of_this_machine(self, store: Store) -> None:
        folder = store.cache_folder("scans")
        folder.mkdir(parents=True, exist_ok=True)
        assert folder == store.cache_folder("scans") != store.cache_folder("crops")

    def test_caches_of_other_machines_are_pulled(self, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        folder = store.pull("scans")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "one.parquet").write_bytes(b"1" * 100)
        store.push("scans")
        monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / "another machine"))
        assert (store.pull("scans") / "one.parquet").read_bytes() == b"1" * 100
        assert [path.name for path in store.pull("scans").iterdir()] == ["one.parquet"]

    def test_a_ledger_works_over_it(self, store: Store) -> None:
        ledger = Ledger(store)
        first = ledger.begin("train", "ab", {"what": "it is"}, "code")
        (first.path / "checkpoints").mkdir()
        (first.path / "checkpoints/0.ckpt").write_bytes(b"state")
        first.event({"epoch": 0, "position": [1, 0], "whole": True, "loss": 0.5}, "checkpoints/0.ckpt")
        first.close()
        second = ledger.begin("train", "ab", {"what": "it is"}, "code")
        with pytest.raises(Fenced):
            first.check()
        origin = second.resumable()
        assert origin is not None
        assert origin.path.read_bytes() == b"state"
        second.resumed(origin)
        (second.path / "model.bin").write_bytes(b"w" * 100_000)
        (second.path / "history.json").write_text("[1]")
        marker = second.finish({"images": 3}, {}, "code", ["model.bin", "history.json"])
        second.close()
        assert ledger.status("train", "ab", source="code").state == "done"
        assert ledger.path(marker, "model.bin").read_bytes() == b"w" * 100_000
        assert ledger.json(marker, "history.json") == [1]
        assert [row["loss"] for row in ledger.events("train", "ab")] == [0.5]
        store.put(f"train/ab/{second.folder}/model.bin", b"w" * 99_999 + b"x")
        status = ledger.status("train", "ab")
        assert (status.state, status.cause) == ("run", "damage")
        ledger.void("train", "ab", str(status.reason), status.generation)
        assert ledger.begin("train", "ab", {}, "code").resumable() is None
