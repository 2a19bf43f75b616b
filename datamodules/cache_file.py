"""Cache files: written atomically, synced, and followed by a digest of their content.

A damaged cache file is removed with a one-line notice and recomputed. Temporary files are locked by their writers, so that
those of dead writers are recognized, even between containers that share process ids.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import mmap
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

DIGEST = 32  # bytes of SHA-256 at the end of each file
BLOCK = 1 << 20
YOUNG = 60.0  # seconds; a younger temporary file may not be locked yet
ABANDONED = 24 * 3600.0  # seconds after which a temporary file is removed on file systems without locks

_verified: set[tuple[str, int, int, int]] = set()  # path, inode, mtime_ns, size: each file is read once per process


def save(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Writes a file atomically; ``write`` is called with the open file.

    Raises:
        OSError: such as a full disk; no file is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "w+b") as file:
            with contextlib.suppress(OSError):  # a file system without locks: the age decides instead
                fcntl.flock(file, fcntl.LOCK_EX)
            write(file)
            file.flush()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(0, os.SEEK_END)
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def whole(path: Path) -> bool:
    """Whether the file exists and is undamaged; a damaged file is removed, so that it is recomputed."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            key = (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
            if key in _verified:
                return True
            total, left = hashlib.sha256(), found.st_size - DIGEST
            while left > 0 and (block := file.read(min(BLOCK, left))):
                total.update(block)
                left -= len(block)
            good = left == 0 and file.read() == total.digest()
    except FileNotFoundError:
        return False
    if good:
        _verified.add(key)
        return True
    logging.getLogger("facegrid").warning("%s is damaged; it is computed again", path)
    with contextlib.suppress(OSError):  # no permission in another user's folder: the file is ignored anyway
        path.unlink()
    return False


def read(path: Path) -> memoryview | None:
    """The content of a file, memory-mapped; None if it is absent or damaged."""
    if not whole(path):
        return None
    try:
        with open(path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None  # removed by another process meanwhile
    return memoryview(mapped)[: len(mapped) - DIGEST]


def sweep(folder: Path) -> int:
    """Removes the temporary files of dead writers; returns the total bytes of those still being written."""
    used = 0
    for path in folder.glob("*.tmp"):
        try:
            state = path.stat()
            if time.time() - state.st_mtime > YOUNG and _abandoned(path, state.st_mtime):
                path.unlink()
            else:
                used += state.st_size
        except FileNotFoundError:
            continue  # removed by another process
    return used


def _abandoned(path: Path, written: float) -> bool:
    try:
        with open(path, "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        raise
    except OSError:
        return time.time() - written > ABANDONED
