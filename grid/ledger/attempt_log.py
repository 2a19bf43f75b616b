"""Log lines of an attempt in the ledger: ``<attempt>/log/000001.jsonl`` and so on, each written once and never changed.

Samples of the machine are such lines, too, in ``<attempt>/system``.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from grid.late_thread import LateThread
from grid.ledger.store_interface import Store

FOLDER, SYSTEM = "log", "system"
SECONDS = 5.0  # between two objects; a killed process loses at most the lines since the last one
MOST = 2000  # lines per attempt; later ones are only counted, so that a chatty library fills no disk


class AttemptLog:
    """Collects lines, and writes them every few seconds while there are new ones. Usable from several threads.

    A disk that cannot be written costs lines, never the stage.

    Args:
        prefix: of the attempt in the store
        folder: ``FOLDER`` or ``SYSTEM``
    """

    def __init__(self, store: Store, prefix: str, seconds: float = SECONDS, folder: str = FOLDER) -> None:
        self.store, self.prefix, self.seconds = store, f"{prefix}/{folder}", seconds
        self._lines: list[str] = []
        self._written = self._count = 0
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._thread = LateThread(seconds, self._keep, "facegrid-log")

    def __enter__(self) -> AttemptLog:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._count > MOST:
            self._lines.append(_line("warning", "facegrid", f"{self._count - MOST} more lines were left out", {}))
        self.flush()

    def write(self, level: str, source: str, message: str, **fields: Any) -> None:
        """Adds a line.

        Args:
            level: debug, info, warning or error
            source: what wrote it, such as the name of a logger
            fields: more values that JSON can represent
        """
        with self._mutex:
            self._count += 1
            if self._count <= MOST:
                self._lines.append(_line(level, source, message, fields))

    def flush(self) -> None:
        """Writes the lines that were not written yet."""
        with self._mutex:
            if not self._lines:
                return
            data = "".join(f"{line}\n" for line in self._lines).encode()
            with contextlib.suppress(OSError):
                self.store.create(f"{self.prefix}/{self._written + 1:06d}.jsonl", data)
                self._written += 1
                self._lines.clear()

    def _keep(self) -> None:
        while not self._stop.is_set():
            self.flush()
            self._stop.wait(self.seconds)


def read_log(store: Store, prefix: str, folder: str = FOLDER) -> Iterator[dict[str, Any]]:
    """The lines of an attempt: ``time`` (unix seconds), ``level``, ``source``, ``message`` and further fields.

    Unreadable lines are left out.
    """
    for name in store.names(f"{prefix}/{folder}"):
        for line in (store.get(f"{prefix}/{folder}/{name}") or b"").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and {"time", "level", "source", "message"} <= row.keys():
                yield row


def _line(level: str, source: str, message: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"time": time.time(), "level": level, "source": source, "message": message, **fields}, default=str)
