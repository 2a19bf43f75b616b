"""Where the ledger's objects lie, behind one small interface.

Nothing here needs rename-over, append or partial writes, so the same protocol holds on a local disk, a network path and an
object store. ``LocalStore`` is the one that exists; an object store needs these methods and no others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from configs.component import canonical, digest

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)  # answers of file systems without links
ABANDONED = 3600.0  # seconds after which a temporary file that nobody writes belongs to a process that died


class Damaged(RuntimeError):
    """A stored object is not what was written."""


@dataclass(frozen=True)
class Stat:
    """What can be known of an object without reading it."""

    size: int  # bytes
    stamp: str  # changes whenever the object is written


def seal(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    """A JSON object that carries the digest of its own content under ``digest``."""
    sealed = {**value, "digest": digest(value)}
    text = canonical(sealed) if indent is None else json.dumps(sealed, indent=indent)
    return (text + "\n").encode("ascii")


def unseal(data: bytes | None, name: object) -> dict[str, Any]:
    """What ``seal`` was given. Objects of versions that wrote no digest are accepted.

    Args:
        name: of the object, for the message

    Raises:
        Damaged: the object is absent, not JSON, or not what its digest says.
    """
    if data is None:
        raise Damaged(f"{name} is missing")
    try:
        value = json.loads(data)
    except ValueError as error:
        raise Damaged(f"{name} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise Damaged(f"{name} is not a JSON object")
    said = value.pop("digest", None)
    try:
        same = said is None or said == digest(value)
    except ValueError:  # such as a number that is infinite now
        same = False
    if not same:
        raise Damaged(f"{name} was changed after it was written (its digest differs)")
    return value


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

    def stat(self, key: str) -> Stat | None:
        """Size and stamp, or None where there is no such object."""

    def delete(self, prefix: str) -> None:
        """Removes the object or everything under the prefix."""

    def sweep(self, prefix: str) -> None:
        """Removes what killed writers left directly under ``prefix``."""

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
        with self._written_beside(key, data) as written:
            os.replace(written, self.root / key)
        _sync((self.root / key).parent)

    def create(self, key: str, data: bytes) -> bool:
        target = self.root / key
        if target.exists():
            return False
        with self._written_beside(key, data) as written:
            try:
                os.link(written, target)  # fails where the name exists, and never shows half a file
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                if not self._move(written, target):
                    return False
        _sync(target.parent)
        return True

    def _move(self, written: Path, target: Path) -> bool:
        """``create`` where there are no hard links: all who create in this store take turns."""
        with open(self.root / ".lock", "ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # the kernel frees it when its holder dies
            if target.exists():
                return False
            os.replace(written, target)
            return True

    @contextlib.contextmanager
    def _written_beside(self, key: str, data: bytes) -> Iterator[Path]:
        """A synced temporary file in the folder of ``key``; removed afterwards, whatever happens."""
        target = self.root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        written = target.parent / f".{target.name}.{uuid.uuid4().hex}"
        try:
            with open(written, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield written
        finally:
            written.unlink(missing_ok=True)

    def sweep(self, prefix: str) -> None:
        """Removes the temporary files directly under ``prefix`` that killed writers left."""
        with contextlib.suppress(OSError):
            for path in (self.root / prefix).iterdir():
                temporary = path.name.startswith(".") and len(path.name.rpartition(".")[2]) == 32
                if temporary and time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self.root / prefix) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def size(self, key: str) -> int | None:
        found = self.stat(key)
        return None if found is None else found.size

    def stat(self, key: str) -> Stat | None:
        try:
            found = (self.root / key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stat(found.st_size, str(found.st_mtime_ns))

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
