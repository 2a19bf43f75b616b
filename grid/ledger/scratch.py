"""Local temporary folders; the folders left behind by killed processes are removed when the next one is created."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PREFIX = "facegrid-scratch-"
OWNED = ".in-use"  # locked while its owner lives; the lock ends with the process

_held: dict[Path, BinaryIO] = {}  # the lock files held by this process


def make_scratch() -> Path:
    """A new folder that exists until ``remove_scratch`` or the end of this process."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    _held[folder] = open(folder / OWNED, "wb")  # noqa: SIM115 - as long as the folder is in use
    fcntl.flock(_held[folder], fcntl.LOCK_EX)
    return folder


def remove_scratch(folder: Path) -> None:
    """Removes a folder created by ``make_scratch``."""
    shutil.rmtree(folder, ignore_errors=True)
    if file := _held.pop(folder, None):
        file.close()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Context manager: a temporary folder."""
    folder = make_scratch()
    try:
        yield folder
    finally:
        remove_scratch(folder)


def sweep() -> None:
    """Removes this user's folders whose owners have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid():
                continue
            with open(folder / OWNED, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the owner lives
                shutil.rmtree(folder, ignore_errors=True)
