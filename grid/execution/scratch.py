"""Temporary folders that killed processes leave behind are removed by the next launch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "facegrid-scratch-"
OWNED = ".in-use"  # locked while its owner lives; the lock ends with the process


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, while in this block."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with open(folder / OWNED, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Removes this user's folders whose owners are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            with open(folder / OWNED, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the owner lives
                shutil.rmtree(folder, ignore_errors=True)
