"""What the ledger needs of a place for its objects: a disk, a bucket, or memory.

A store implements six methods: ``get``, ``put``, ``create``, ``names``, ``stat`` and ``delete``. Everything else has a default
that holds for stores that are no local disk: files are written in a scratch folder of this machine and uploaded, and read from
a bounded cache on this machine. ``tests/grids/store_conformance.py`` says what every store must do.
"""

from __future__ import annotations

import io
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grid.ledger.node_cache import NodeCache
from grid.ledger.scratch import make_scratch, remove_scratch


@dataclass(frozen=True)
class Stat:
    """What can be known of an object without reading it."""

    size: int  # bytes
    stamp: str  # changes whenever the object is written


class Store(ABC):
    """Objects under slash-separated keys.

    Attributes:
        url: where it is, as ``open_store`` takes it
    """

    url: str
    shared = True  # other processes see its objects

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The object, or None."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Writes the object whole, replacing one that exists."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Writes the object whole unless the key exists; False where it does. Atomic between processes."""

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The names directly under ``prefix``, sorted; empty where there are none."""

    @abstractmethod
    def stat(self, key: str) -> Stat | None:
        """Size and stamp, or None where there is no such object."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Removes the object, or everything under the prefix; nothing happens where there is none."""

    # -- defaults for stores that are no local disk

    def size(self, key: str) -> int | None:
        """Bytes, or None where there is no such object."""
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
        """Makes a file of this machine the object ``key``, durably; one that exists is replaced."""
        self.put(key, path.read_bytes())

    def materialise(self, key: str) -> Path:
        """A file of this machine with the object's content, only to be read.

        Raises:
            FileNotFoundError: there is no such object.
        """
        found = self.stat(key)
        if found is None:
            raise FileNotFoundError(self.place(key))
        return NodeCache.of(self.url).fetch(key, found.stamp, lambda: self.open_input(key))

    def scratch(self, prefix: str) -> Path:
        """A folder of this machine in which the objects of a prefix are written before they are uploaded."""
        return make_scratch()

    def discard(self, scratch: Path) -> None:
        """Ends the use of a scratch folder."""
        remove_scratch(scratch)

    def cache_folder(self, name: str) -> Path:
        """A folder of this machine for a cache that may be lost: ``scans``, ``crops``."""
        return NodeCache.of(self.url).folder / name

    def pull(self, name: str) -> Path:
        """The folder ``cache_folder(name)``, with what other machines have pushed."""
        folder = self.cache_folder(name)
        for relative in self.walk(name):
            path = folder / relative
            data = None if path.exists() else self.get(f"{name}/{relative}")
            if data is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
                temporary.write_bytes(data)
                os.replace(temporary, path)
        return folder

    def push(self, name: str) -> None:
        """Uploads what ``cache_folder(name)`` has and the store has not."""
        folder = self.cache_folder(name)
        for path in sorted(folder.rglob("*")):
            key = f"{name}/{path.relative_to(folder).as_posix()}"
            if path.is_file() and path.suffix != ".tmp" and self.size(key) != path.stat().st_size:
                self.upload(path, key)

    def place(self, key: str) -> str:
        """What messages call an object."""
        return f"{self.url.rstrip('/')}/{key}"

    def sweep(self, prefix: str) -> None:  # noqa: B027 - most stores leave nothing
        """Removes what killed writers left directly under ``prefix``."""
