"""Where the ledger's objects lie, behind one small interface.

Nothing here needs rename-over, append or partial writes, so the same protocol holds on a local disk, a network path and an
object store. ``LocalStore`` is the one that exists; an object store needs these methods and no others.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Objects under slash-separated keys."""

    def get(self, key: str) -> bytes | None:
        """The object, or None."""

    def put(self, key: str, data: bytes) -> None:
        """Writes the object whole, replacing one that exists."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes the object whole unless the key exists; False where it does. Atomic between processes."""

    def names(self, prefix: str) -> list[str]:
        """The names directly under ``prefix``, sorted; empty where there are none."""

    def size(self, key: str) -> int | None:
        """Bytes, or None where there is no such object."""

    def delete(self, prefix: str) -> None:
        """Removes the object or everything under the prefix."""

    def local(self, key: str) -> Path:
        """A local path at which the object (or, for a prefix, its objects) can be read and written."""

    def commit(self, key: str) -> None:
        """Makes what was written at ``local(key)`` durable (a disk: fsync; an object store: upload)."""


class LocalStore:
    """Objects as files under one folder, made durable with fsync."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def local(self, key: str) -> Path:
        return self.root / key

    def get(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, key: str, data: bytes) -> None:
        written = self._write_beside(key, data)
        os.replace(written, self.root / key)
        _sync(written.parent)

    def create(self, key: str, data: bytes) -> bool:
        if (self.root / key).exists():
            return False
        written = self._write_beside(key, data)
        try:
            os.link(written, self.root / key)  # fails where the name exists, and never shows half a file
        except FileExistsError:
            return False
        finally:
            written.unlink()
        _sync(written.parent)
        return True

    def _write_beside(self, key: str, data: bytes) -> Path:
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        written = target.parent / f".{target.name}.{uuid.uuid4().hex}"
        with open(written, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return written

    def names(self, prefix: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.root / prefix) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def size(self, key: str) -> int | None:
        try:
            return (self.root / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def delete(self, prefix: str) -> None:
        path = self.root / prefix
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def commit(self, key: str) -> None:
        path = self.root / key
        _sync(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def walk(store: Store, prefix: str) -> Iterator[str]:
    """Every file under a prefix of which ``local`` is a folder, relative to it, sorted."""
    base = store.local(prefix)
    for path in sorted(base.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(base).as_posix()
