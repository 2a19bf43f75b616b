"""A cache on this machine for objects of remote stores, shared by all processes of the user.

Copies are removed when those of all stores together exceed the limit, the longest unused first. Copies used within the last
hour stay, so the cache can be larger for that long.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grid.ledger.scratch import machine_folder
from grid.spec.grid_file import BadInput

PLACE = "FACEGRID_NODE_CACHE"
SIZE = "FACEGRID_NODE_CACHE_GIB"
LIMIT = 32 << 30  # bytes for the copies from all stores; SIZE overrides it
STORE = re.compile("[0-9a-f]{16}")  # the name of the folder for one store
IN_USE = 3600.0  # a copy used or written within this many seconds is not removed: a process may be about to open it


@dataclass(frozen=True)
class NodeCache:
    """Files under ``folder``, named by key and stamp; the caches of other stores lie beside it."""

    folder: Path
    limit: int

    @classmethod
    def of(cls, url: str) -> NodeCache:
        """The cache for the store at ``url``.

        Raises:
            BadInput: the environment variable ``SIZE`` is no size.
        """
        return cls(Path(node_cache_root()) / hashlib.sha256(url.encode()).hexdigest()[:16], _limit())

    def fetch(self, key: str, stamp: str, read: Callable[[], BinaryIO]) -> Path:
        """The local copy of an object, downloaded if absent; the last path component is the object's name."""
        folder = self.folder / "objects" / hashlib.sha256(f"{key}\n{stamp}".encode()).hexdigest()[:32]
        path = folder / key.rpartition("/")[2]
        with contextlib.suppress(FileNotFoundError):
            os.utime(folder)  # marks the time of last use
            path.stat()  # a service that cleans temporary folders may have removed it and left the folder
            return path
        temporary = folder.with_name(f"{uuid.uuid4().hex}.tmp")
        temporary.mkdir(parents=True, mode=0o700)
        try:
            with read() as source, open(temporary / path.name, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            self._make_room((temporary / path.name).stat().st_size)
            try:
                os.rename(temporary, folder)
            except OSError:
                if not path.is_file():  # else another process was faster
                    os.replace(temporary / path.name, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return path

    def _make_room(self, size: int) -> None:
        copies = []
        for folder in self._copies():
            with contextlib.suppress(OSError):  # it was removed, or belongs to another user
                files = [path.stat() for path in folder.iterdir()]
                last = max(one.st_mtime for one in (folder.stat(), *files))  # a folder does not tell that its file is written
                copies.append((last, sum(one.st_size for one in files), folder))
        used = sum(length for _, length, _ in copies)
        for last, length, folder in sorted(copies):
            if used <= max(self.limit, size) or time.time() - last < IN_USE:
                break
            shutil.rmtree(folder, ignore_errors=True)
            used -= length

    def _copies(self) -> Iterator[Path]:
        """The folders of all copies on this machine, from whatever store."""
        for store in self.folder.parent.iterdir():
            if STORE.fullmatch(store.name):  # users may choose a folder that has something else in it
                with contextlib.suppress(OSError):
                    yield from (store / "objects").iterdir()


def node_cache_root() -> str:
    """The folder of the caches for all stores on this machine: ``$FACEGRID_NODE_CACHE``, else below that of temporary files."""
    return os.path.abspath(os.environ.get(PLACE) or f"{machine_folder()}/facegrid-cache-{os.getuid()}")


def _limit() -> int:
    """Bytes."""
    said = os.environ.get(SIZE)
    if not said:
        return LIMIT
    with contextlib.suppress(ValueError, OverflowError):  # of infinity
        if (limit := int(float(said) * 2**30)) >= 0:
            return limit
    raise BadInput(f"{SIZE}={said!r}: expected a number of GiB, such as 32 (the default)")
