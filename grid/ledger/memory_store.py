"""An in-memory store: for tests, and for inspecting a grid without writing to disk."""

from __future__ import annotations

import threading
from itertools import count

from grid.ledger.store_interface import Stat, Store


class MemoryStore(Store):
    """``memory://<name>``; stores with the same name share their objects."""

    shared = False
    _stores: dict[str, dict[str, tuple[bytes, int]]] = {}  # noqa: RUF012 - shared on purpose
    _lock = threading.Lock()
    _writes = count()

    def __init__(self, url: str) -> None:
        self.url = url
        with self._lock:
            self._objects = self._stores.setdefault(url, {})

    def get(self, key: str) -> bytes | None:
        found = self._objects.get(key)
        return None if found is None else found[0]

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self._objects[key] = (bytes(data), next(self._writes))

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            if key in self._objects:
                return False
            self._objects[key] = (bytes(data), next(self._writes))
            return True

    def names(self, prefix: str) -> list[str]:
        start = f"{prefix}/" if prefix else ""
        with self._lock:
            return sorted({key[len(start) :].partition("/")[0] for key in self._objects if key.startswith(start)})

    def stat(self, key: str) -> Stat | None:
        found = self._objects.get(key)
        return None if found is None else Stat(len(found[0]), str(found[1]))

    def delete(self, prefix: str) -> None:
        with self._lock:
            for key in [key for key in self._objects if key == prefix or key.startswith(f"{prefix}/")]:
                del self._objects[key]
