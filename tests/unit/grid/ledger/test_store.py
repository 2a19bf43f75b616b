"""Objects are whole, created once, and invisible until they are."""

import errno
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from grid.ledger.store import Damaged, LocalStore, seal, unseal, walk


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


# -- objects that carry their digest


def test_what_is_sealed_is_unsealed() -> None:
    value = {"text": "ä", "list": [1, 2.5, None, True], "nested": {"b": 1, "a": -0.0}}
    for data in (seal(value), seal(value, indent=1)):
        assert unseal(data, "x") == value
        assert json.loads(data)["digest"]


def test_every_flipped_bit_is_damage_or_leaves_the_value_alone() -> None:
    value = {"loss": 0.125, "name": "resnet34", "rows": [1, 20, 300]}
    data = seal(value)
    for place in range(len(data)):
        for bit in range(8):
            flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            try:
                found = unseal(flipped, "x")
            except Damaged:
                continue
            assert {key: found.get(key) for key in value} == value, flipped


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b"3", b"\xff", b'{"a": 1, "digest": "0"}', b'{"a": NaN, "digest": 1}']
)
def test_what_is_no_sealed_object_is_damage(data: bytes | None) -> None:
    with pytest.raises(Damaged, match="some/key"):
        unseal(data, "some/key")


# -- file systems without hard links, and full ones


@pytest.fixture(scope="module")
def vfat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system without hard links; mounting one needs root."""
    folder = tmp_path_factory.mktemp("vfat")
    image, place = folder / "image", folder / "mounted"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    if os.getuid() or not shutil.which("mkfs.vfat"):
        pytest.skip("needs root and mkfs.vfat")
    subprocess.run(["mkfs.vfat", image], check=True, capture_output=True)
    if subprocess.run(["mount", "-o", "loop", image, place], capture_output=True).returncode:
        pytest.skip("cannot mount here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def linkless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """The same where nothing can be mounted."""

    def refused(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    return LocalStore(tmp_path / "linkless")


def check_creates(store: LocalStore) -> None:
    assert store.create("a/b", b"first")
    assert not store.create("a/b", b"second")
    assert store.get("a/b") == b"first"
    store.put("a/b", b"third")
    assert store.get("a/b") == b"third"
    assert store.names("a") == ["b"]
    assert sorted(path.name for path in store.local("a").iterdir()) == ["b"]
    for number in range(20):
        won: list[int] = []
        threads = [
            threading.Thread(target=lambda n=n: won.append(n) if store.create(f"race/{number}", b"%d" % n) else None)  # noqa: B023
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.get(f"race/{number}") == b"%d" % won[0]


def test_create_needs_no_hard_links(linkless: LocalStore) -> None:
    check_creates(linkless)


def test_create_works_on_vfat(vfat: Path) -> None:
    (vfat / "x").touch()
    with pytest.raises(OSError, match="not permitted"):
        os.link(vfat / "x", vfat / "y")
    check_creates(LocalStore(vfat / "store"))


def test_a_full_disk_leaves_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for write in (store.put, store.create):
            with pytest.raises(OSError, match="No space left"):
                write("a/b", b"data")
    assert list((tmp_path / "a").iterdir()) == []
    assert store.create("a/b", b"data")


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/b", b"data")
    old, new, other = (tmp_path / "a" / name for name in (f".b.{'0' * 32}", f".b.{'1' * 32}", ".hidden"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (1000, 1000))
    store.sweep("a")
    store.sweep("nowhere")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted([new.name, other.name, "b"])
