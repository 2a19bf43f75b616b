"""The files that scans of datasets have written: a folder of this machine, which other machines share through the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from grid.ledger.store_interface import Store

NAME = "scans"
Found = TypeVar("Found")


class Scans:
    """The scans of a store, downloaded if this machine lacks them.

    Attributes:
        folder: has the files; what is written there is uploaded by ``push``
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.folder: Path = store.pull(NAME)

    def read(self, find: Callable[[], Found | None]) -> Found | None:
        """What ``find`` reads in ``folder``; None if nothing is there.

        ``find`` removes a damaged file. It is called again if the store has files that the folder lacks now.
        """
        if (found := find()) is not None:
            return found
        before = set(self.folder.rglob("*"))
        self._store.pull(NAME)
        return find() if set(self.folder.rglob("*")) - before else None

    def push(self) -> None:
        """Uploads what was written in ``folder``."""
        self._store.push(NAME)
