"""Objects are whole, created once, and invisible until they are."""

import threading
from pathlib import Path

import pytest

from grid.store import LocalStore, walk


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_what_is_put_is_got(store: LocalStore) -> None:
    store.put("a/b/c.json", b"one")
    assert store.get("a/b/c.json") == b"one"
    assert store.size("a/b/c.json") == 3
    assert store.local("a/b/c.json").read_bytes() == b"one"


def test_put_replaces(store: LocalStore) -> None:
    store.put("a", b"one")
    store.put("a", b"second")
    assert store.get("a") == b"second"


def test_what_is_absent_is_none(store: LocalStore) -> None:
    assert store.get("a/b") is None
    assert store.size("a/b") is None
    assert store.names("a") == []
    store.put("a", b"file")
    assert store.get("a/b") is None
    assert store.names("a/b") == []
    assert store.size("a/b") is None


def test_create_makes_an_object_once(store: LocalStore) -> None:
    assert store.create("a/b", b"first")
    assert not store.create("a/b", b"second")
    assert store.get("a/b") == b"first"


def test_of_many_creators_one_wins(store: LocalStore) -> None:
    start, won = threading.Barrier(8), []

    def create(number: int) -> None:
        start.wait()
        if store.create("a/b", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get("a/b") == b"%d" % won[0]


def test_nothing_half_written_or_left_over_is_listed(store: LocalStore) -> None:
    store.create("a/b", b"first")
    store.create("a/b", b"second")
    store.put("a/c", b"third")
    (store.local("a") / ".d.0123").write_bytes(b"half")  # what a killed writer leaves
    assert store.names("a") == ["b", "c"]
    assert sorted(path.name for path in store.local("a").iterdir()) == [".d.0123", "b", "c"]


def test_names_are_sorted_and_one_level_deep(store: LocalStore) -> None:
    for key in ("x/b/1", "x/a/2", "x/c"):
        store.put(key, b"")
    assert store.names("x") == ["a", "b", "c"]


def test_delete_takes_objects_and_prefixes(store: LocalStore) -> None:
    for key in ("x/a", "x/b/1", "y"):
        store.put(key, b"")
    store.delete("x/b")
    store.delete("y")
    store.delete("never/there")
    assert store.names("x") == ["a"]
    assert store.get("y") is None


def test_walk_lists_files_below_a_prefix(store: LocalStore) -> None:
    for key in ("x/b/2", "x/b/1", "x/a", "y"):
        store.put(key, b"")
    (store.local("x") / ".half").write_bytes(b"")
    assert list(walk(store, "x")) == ["a", "b/1", "b/2"]


def test_commit_takes_what_was_written_in_place(store: LocalStore) -> None:
    folder = store.local("x/y")
    folder.mkdir(parents=True)
    (folder / "z").write_bytes(b"data")
    store.commit("x/y/z")
    assert store.get("x/y/z") == b"data"
    with pytest.raises(FileNotFoundError):
        store.commit("x/y/nothing")
