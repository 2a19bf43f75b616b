"""Local temporary folders; the folders left behind by killed processes are removed when the next one is created."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PREFIX = "facegrid-scratch-"
OWNED = ".in-use"  # has the host of its owner, and is locked while that lives; the lock ends with the process

_held: dict[Path, BinaryIO] = {}  # the lock files held by this process
_outside: str | None = None  # the machine's folder for temporary files while this process has those elsewhere
_own: dict[int, Path] = {}  # id of this process -> its folder, see ``own_temporary_files``; a forked process has another id


def make_scratch() -> Path:
    """A new folder that exists until ``remove_scratch`` or the end of this process."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    made = folder / f"{OWNED}.new"
    file = open(made, "wb")  # noqa: SIM115 - as long as the folder is in use
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(_host())
    file.flush()
    made.rename(folder / OWNED)  # another process sees it only when it is locked
    _held[folder] = file
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


@contextlib.contextmanager
def own_temporary_files() -> Iterator[None]:
    """Context manager: what ``tempfile`` makes lies in a folder of this process, which is removed when the process ends.

    So nothing stays for ever of what a training or a component makes there when it is killed.
    """
    folder = _own.get(os.getpid())
    if folder is None or not folder.is_dir():
        folder = _own[os.getpid()] = make_scratch()
        atexit.register(_remove, os.getpid(), folder)
    with temporary_files_in(folder):
        yield


@contextlib.contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Context manager: what ``tempfile`` makes lies in this folder."""
    global _outside
    before, outside = tempfile.tempdir, _outside
    _outside, tempfile.tempdir = machine_folder(), str(folder)
    try:
        yield
    finally:
        tempfile.tempdir, _outside = before, outside


def machine_folder() -> str:
    """The machine's folder for temporary files, for what processes share, wherever ``tempfile`` makes those of this process."""
    return _outside or tempfile.gettempdir()


def _remove(process: int, folder: Path) -> None:
    if os.getpid() == process:
        remove_scratch(folder)


def sweep() -> None:
    """Removes this user's folders whose owners ran on this host and have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid():
                continue
            with open(folder / OWNED, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the owner lives
                if file.read() == _host():  # a file system of several hosts may not know their locks
                    shutil.rmtree(folder, ignore_errors=True)


def _host() -> bytes:
    return socket.gethostname().encode()
