"""The storage interface of the ledger: a disk, a bucket or memory.

A store implements six methods: ``get``, ``put``, ``create``, ``names``, ``stat`` and ``delete``. The others have defaults
suitable for stores that are not a local disk: files are written to a local scratch folder and uploaded, and read from a bounded
local cache. ``tests/grids/store_conformance.py`` specifies what every store must do.
"""

from __future__ import annotations

import contextlib
import io
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grid.ledger.node_cache import NodeCache
from grid.ledger.scratch import make_scratch, remove_scratch


@dataclass(frozen=True)
class Stat:
    """What can be known about an object without reading it."""

    size: int  # bytes
    stamp: str  # changes whenever the object is written
    written: float | None = None  # when it was written, in unix seconds, if the store knows


class Store(ABC):
    """Objects under slash-separated keys.

    Attributes:
        url: its location, in the form that ``open_store`` takes
    """

    url: str
    shared = True  # whether other processes see its objects
    _pulled: Mapping[str, Mapping[Path, tuple[int, ...]]] = {}  # the files of each cache after the last ``pull``

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The object, or None."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Writes the whole object, replacing an existing one."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Writes the whole object unless the key exists; False if it does. Atomic between processes.

        Whether this call or another one wrote an object is unknown where the answer to a request was lost, so it may be
        True for an object that another process created with the same bytes. Records that only one process may create contain
        something unique.
        """

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The names directly under ``prefix``, sorted; empty if there are none."""

    @abstractmethod
    def stat(self, key: str) -> Stat | None:
        """Size and stamp, or None if there is no such object."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Deletes the object, or everything under the prefix; no error if nothing exists.

        Raises:
            OSError: something could not be deleted.
        """

    # -- defaults for stores that are not a local disk

    def size(self, key: str) -> int | None:
        """Size in bytes, or None if there is no such object."""
        found = self.stat(key)
        return None if found is None else found.size

    def walk(self, prefix: str) -> Iterator[str]:
        """The keys of all objects under a prefix, relative to it, in order."""
        for name in self.names(prefix):
            key = f"{prefix}/{name}" if prefix else name
            if self.stat(key) is not None:
                yield name
            else:
                yield from (f"{name}/{rest}" for rest in self.walk(key))

    def open_input(self, key: str) -> BinaryIO:
        """The object as a stream.

        Raises:
            FileNotFoundError: there is no such object.
        """
        data = self.get(key)
        if data is None:
            raise FileNotFoundError(self.place(key))
        return io.BytesIO(data)

    def upload(self, path: Path, key: str) -> None:
        """Uploads a local file as the object ``key``, durably; an existing object is replaced."""
        self.put(key, path.read_bytes())

    def upload_all(self, folder: Path, prefix: str, names: Iterable[str]) -> None:
        """Uploads files of a local folder as objects under a prefix, like ``upload``."""
        for name in names:
            self.upload(folder / name, f"{prefix}/{name}")

    def materialize(self, key: str) -> Path:
        """A local, read-only file with the object's content.

        Raises:
            FileNotFoundError: there is no such object.
        """
        found = self.stat(key)
        if found is None:
            raise FileNotFoundError(self.place(key))
        return NodeCache.of(self.url).fetch(key, found.stamp, lambda: self.open_input(key))

    def scratch(self, prefix: str) -> Path:
        """A local folder in which the objects of a prefix are written before they are uploaded."""
        return make_scratch()

    def discard(self, scratch: Path) -> None:
        """Releases a scratch folder."""
        remove_scratch(scratch)

    def cache_folder(self, name: str) -> Path:
        """A local folder for a cache that may be lost: ``scans``, ``crops``."""
        return NodeCache.of(self.url).folder / name

    def pull(self, name: str) -> Path:
        """The folder ``cache_folder(name)``, with the files pushed by other machines; files that are there are kept."""
        folder = self.cache_folder(name)
        for relative in self.walk(name):
            path = folder / relative
            data = None if path.exists() else self.get(f"{name}/{relative}")
            if data is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
                temporary.write_bytes(data)
                os.replace(temporary, path)
        self._pulled = {**self._pulled, name: dict(_files(folder))}
        return folder

    def push(self, name: str) -> None:
        """Uploads the files in ``cache_folder(name)`` that the store does not have.

        Those written since ``pull`` also replace objects with another content, such as damaged ones. Older ones do not: of
        them, the file itself may be the damaged one.
        """
        folder = self.cache_folder(name)
        pulled = self._pulled.get(name, {})
        for path, state in _files(folder):
            key = f"{name}/{path.relative_to(folder).as_posix()}"
            there = self.size(key)
            if there is None or (pulled.get(path) != state and (there != state[-1] or self.get(key) != path.read_bytes())):
                self.upload(path, key)

    def place(self, key: str) -> str:
        """An object's location for messages."""
        return f"{self.url.rstrip('/')}/{key}"

    def sweep(self, prefix: str) -> None:  # noqa: B027 - most stores leave nothing
        """Removes what killed writers left directly under ``prefix``."""


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """The files of a cache that are not being written, each with what changes with its content, last its size in bytes."""
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # another process found it damaged
            if path.suffix != ".tmp" and path.is_file():
                found = path.stat()
                yield path, (found.st_ino, found.st_mtime_ns, found.st_size)
