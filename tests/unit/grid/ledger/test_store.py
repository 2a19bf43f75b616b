"""Objects are whole, created once, and invisible until they are."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_conformance import one_of_many_wins

from grid.ledger.store import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_nothing_half_written_or_left_over_is_listed(store: LocalStore) -> None:
    store.create("a/b", b"first")
    store.create("a/b", b"second")
    store.put("a/c", b"third")
    (store.local("a") / ".d.0123").write_bytes(b"half")  # what a killed writer leaves
    assert store.names("a") == ["b", "c"]
    assert sorted(path.name for path in store.local("a").iterdir()) == [".d.0123", "b", "c"]


def test_walk_lists_files_below_a_prefix(store: LocalStore) -> None:
    for key in ("x/b/2", "x/b/1", "x/a", "y"):
        store.put(key, b"")
    (store.local("x") / ".half").write_bytes(b"")
    assert list(store.walk("x")) == ["a", "b/1", "b/2"]


def test_what_was_written_in_place_is_not_copied(store: LocalStore) -> None:
    folder = store.scratch("x/y")
    (folder / "z").write_bytes(b"data")
    inode = (folder / "z").stat().st_ino
    store.upload(folder / "z", "x/y/z")
    assert store.materialize("x/y/z") == folder / "z"
    assert (folder / "z").stat().st_ino == inode
    with pytest.raises(FileNotFoundError):
        store.upload(folder / "nothing", "x/y/nothing")


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
    one_of_many_wins(store, races=20)


def test_create_needs_no_hard_links(linkless: LocalStore) -> None:
    check_creates(linkless)


def test_a_link_whose_answer_was_lost_is_known_as_ones_own(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS repeats the request, and is told that the name exists."""
    link = os.link

    def repeated(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", repeated)
    assert store.create("a", b"mine")
    assert not store.create("a", b"mine")


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


@pytest.mark.parametrize(
    ("key", "synced"),
    [
        ("train/1/done-000.json", 2), ("train/1/claims/000001.json", 0), ("train/1/000001-ab/events/3.json", 2),
        ("train/1/identity.json", 0), ("train/1/failed-000001.json", 2), ("train/1/void-000.json", 2),
        ("train/lock/identity.json/x", 2), ("plan.json", 2), ("train/1/lease/000001.json", 0), ("lock/000001.beat", 0),
        ("train/1/000001-ab/log/000001.jsonl", 0), ("train/1/000001-ab/system/000001.jsonl", 0),
    ],
)  # fmt: skip
def test_results_are_durable_and_claims_identities_locks_and_log_lines_need_not_be(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, key: str, synced: int
) -> None:
    """The file and its folder are synced, or neither."""
    calls: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append(handle), fsync(handle))[1])
    assert store.create(key, b"x")
    assert len(calls) == synced
    store.put(key, b"y")
    assert len(calls) == 2 * synced
    assert store.get(key) == b"y"


def test_the_outputs_of_an_attempt_and_then_their_folders_are_synced_each_once(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.scratch("train/1/000001-ab")
    (folder / "maps").mkdir()
    for name in ("model", "history", "maps/a", "maps/b"):
        (folder / name).write_bytes(name.encode())
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")))
    store.upload_all(folder, "train/1/000001-ab", ("model", "history", "maps/a", "maps/b"))
    files = [str(folder / name) for name in ("model", "history", "maps/a", "maps/b")]
    assert synced == [*files, str(folder), str(folder / "maps")]


def test_outputs_from_another_folder_are_copied(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model").write_bytes(b"weights")
    store.upload_all(tmp_path / "other", "train/1/000001-ab", ("model",))
    assert store.get("train/1/000001-ab/model") == b"weights"
