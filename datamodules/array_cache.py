"""A folder of arrays that were expensive to compute, kept under a limit of bytes."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from datamodules import cache_file


class ArrayCache:
    """Arrays under names; a name stands for one content. Safe for several processes, each of which gets a whole array.

    A damaged array is computed again.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit = limit_bytes

    def get(self, name: str, shape: tuple[int, ...], build: Callable[[], Iterable[np.ndarray]]) -> np.memmap:
        """The uint8 array ``name``, read-only; where it is not there, ``build`` gives its rows in order.

        Raises:
            OSError: the disk is full.
        """
        path = self.folder / f"{name}.npy"
        found = self._open(path, shape)
        if found is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            cache_file.sweep(self.folder)

            def write(file: BinaryIO) -> None:
                nonlocal found
                _write(file, shape, build())
                self._make_room(file.tell() + cache_file.DIGEST, keep=path)
                file.flush()
                # before the file gets its name, under which another process may remove it
                found = np.load(file.name, mmap_mode="r")

            cache_file.save(path, write)
            assert isinstance(found, np.memmap), path
            found.filename = path
        return found

    def _open(self, path: Path, shape: tuple[int, ...]) -> np.memmap | None:
        if not cache_file.whole(path):
            return None
        try:
            found = np.load(path, mmap_mode="r")
        except FileNotFoundError:  # just removed by another process
            return None
        with contextlib.suppress(OSError):  # the time of last use, for what is removed first; the time of writing stays
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        if not isinstance(found, np.memmap) or found.shape != shape:
            logging.getLogger("facegrid").warning("%s is no array of shape %s; it is computed again", path, shape)
            return None
        return found

    def _make_room(self, size: int, keep: Path) -> None:
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*.npy"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process was faster
            if path != keep:
                files.append((state.st_atime, state.st_size, path))
        writing = cache_file.sweep(self.folder) - (size - cache_file.DIGEST)  # by others
        used = sum(item[1] for item in files) + size + max(0, writing)
        for _, length, path in sorted(files):
            if used <= self.limit:
                break
            path.unlink(missing_ok=True)  # who has it open keeps it: the bytes go with the last reader
            used -= length


def _write(file: BinaryIO, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> None:
    # Plain writes: a full disk is then an OSError, whereas through a memory map it kills the process.
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    count = 0
    for row in rows:
        assert row.shape == shape[1:], row.shape
        assert row.dtype == np.uint8, row.dtype
        file.write(np.ascontiguousarray(row).tobytes())
        count += 1
    assert count == shape[0], (count, shape)
