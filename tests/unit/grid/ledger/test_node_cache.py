"""Copies of a store's objects on this machine: one of each, bounded, none taken from who is about to read it."""

import io
import os
import tempfile
from pathlib import Path

import pytest

from grid.ledger.node_cache import NodeCache
from grid.ledger.scratch import own_temporary_files, temporary_files_in
from grid.spec.grid_file import BadInput


@pytest.fixture
def cache(tmp_path: Path) -> NodeCache:
    return NodeCache(tmp_path / "0123456789abcdef", 250)


def fetch(cache: NodeCache, key: str, stamp: str = "1", size: int = 100) -> Path:
    return cache.fetch(key, stamp, lambda: io.BytesIO(b"x" * size))


def age(path: Path, seconds: float) -> None:
    now = path.parent.stat().st_mtime
    for one in (path, path.parent):
        os.utime(one, (now - seconds, now - seconds))


def never() -> io.BytesIO:
    raise AssertionError("read again")


def test_an_object_is_read_once_per_stamp(cache: NodeCache) -> None:
    first = fetch(cache, "a/model.bin")
    assert cache.fetch("a/model.bin", "1", never) == first
    assert first.name == "model.bin"
    assert fetch(cache, "a/model.bin", "2") != first
    assert fetch(cache, "b/model.bin") != first


def test_what_was_not_used_for_longest_is_removed(cache: NodeCache) -> None:
    one, two = fetch(cache, "one"), fetch(cache, "two")
    age(one, 8000)
    age(two, 7200)
    three = fetch(cache, "three")
    assert [path.exists() for path in (one, two, three)] == [False, True, True]


def test_the_limit_is_that_of_the_copies_from_all_stores(cache: NodeCache) -> None:
    others = [fetch(NodeCache(cache.folder.with_name(name), 250), "a") for name in ("0" * 16, "1" * 16, "foreign.git")]
    for number, path in enumerate(others):
        age(path, 8000 - number)
    assert fetch(cache, "b").is_file()
    assert [path.exists() for path in others] == [False, True, True]
    assert fetch(cache, "c").is_file()
    assert [path.exists() for path in others] == [False, False, True], "what is in no cache of a store is left alone"


def test_what_was_just_used_stays(cache: NodeCache) -> None:
    one, two, three = (fetch(cache, name) for name in ("one", "two", "three"))
    assert [path.exists() for path in (one, two, three)] == [True, True, True]


def test_a_download_stays_while_it_is_written_however_long_ago_it_began(cache: NodeCache) -> None:
    class Slow(io.BytesIO):
        """Another process needs room when the first half of the object has been read."""

        def read(self, size: int | None = -1, /) -> bytes:
            half = super().read(100)
            if half and self.tell() == 200:
                (began,) = (cache.folder / "objects").iterdir()
                os.utime(began, (0.0, 0.0))
                assert fetch(cache, "another", size=200).is_file()
            return half

    path = cache.fetch("slow", "1", lambda: Slow(b"x" * 200))
    assert path.read_bytes() == b"x" * 200
    os.utime(path.parent, (0.0, 0.0))  # no process has used it since
    fetch(cache, "third", size=200)
    assert path.is_file(), "its process may be about to open what it has just downloaded"


def test_a_download_of_a_dead_process_is_removed(cache: NodeCache) -> None:
    left = cache.folder / "objects" / "0123.tmp" / "a"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 200)
    age(left, 7200)
    assert fetch(cache, "b").is_file()
    assert not left.parent.exists()


def test_a_copy_that_a_service_removed_is_read_again(cache: NodeCache) -> None:
    for left in ([], ["another file"]):
        first = fetch(cache, "a/model.bin")
        first.unlink()
        for name in left:
            (first.parent / name).write_text("left")
        assert fetch(cache, "a/model.bin") == first
        assert first.read_bytes() == b"x" * 100
        assert cache.fetch("a/model.bin", "1", never) == first
    assert [path.name for path in (cache.folder / "objects").iterdir()] == [first.parent.name]


def test_an_object_that_cannot_be_read_leaves_nothing(cache: NodeCache) -> None:
    def broken() -> io.BytesIO:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError):
        cache.fetch("a", "1", broken)
    assert list((cache.folder / "objects").iterdir()) == []


def test_place_and_limit_are_set_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path))
    monkeypatch.setenv("FACEGRID_NODE_CACHE_GIB", "0.5")
    found = NodeCache.of("memory://a")
    assert (found.folder.parent, found.limit) == (tmp_path, 1 << 29)
    assert found != NodeCache.of("memory://b")


@pytest.mark.parametrize("said", ["32 GiB", "-1", "inf", "nan"])
def test_a_size_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("FACEGRID_NODE_CACHE_GIB", said)
    with pytest.raises(BadInput, match=rf"^FACEGRID_NODE_CACHE_GIB='{said}': expected a number of GiB"):
        NodeCache.of("memory://a")


def test_the_place_is_that_of_the_machine_wherever_temporary_files_of_the_process_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEGRID_NODE_CACHE", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("grid.ledger.scratch._own", {})
    (tmp_path / "elsewhere").mkdir()
    outside = NodeCache.of("memory://a")
    assert outside.folder.parent == tmp_path / f"facegrid-cache-{os.getuid()}"
    with own_temporary_files(), own_temporary_files():
        assert tempfile.gettempdir() != str(tmp_path)
        assert NodeCache.of("memory://a") == outside
        monkeypatch.setattr("grid.ledger.scratch._own", {})  # as in a process that a stage has forked
        with own_temporary_files():
            assert NodeCache.of("memory://a") == outside
        with temporary_files_in(tmp_path / "elsewhere"):
            assert NodeCache.of("memory://a") == outside
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert NodeCache.of("memory://a") != outside, "nothing of the redirection is left"
