"""Copies of a store's objects on this machine: one of each, bounded, none taken from who is about to read it."""

import io
import os
from pathlib import Path

import pytest

from grid.ledger.node_cache import NodeCache


@pytest.fixture
def cache(tmp_path: Path) -> NodeCache:
    return NodeCache(tmp_path, 250)


def fetch(cache: NodeCache, key: str, stamp: str = "1", size: int = 100) -> Path:
    return cache.fetch(key, stamp, lambda: io.BytesIO(b"x" * size))


def age(path: Path, seconds: float) -> None:
    now = path.parent.stat().st_mtime
    os.utime(path.parent, (now - seconds, now - seconds))


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


def test_what_was_just_used_stays(cache: NodeCache) -> None:
    one, two, three = (fetch(cache, name) for name in ("one", "two", "three"))
    assert [path.exists() for path in (one, two, three)] == [True, True, True]


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
