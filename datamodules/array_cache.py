"""A cache folder of arrays that are expensive to compute, with a size limit in bytes."""

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
    """Cached arrays by name; a name identifies one content. Safe for concurrent processes, which never see partial arrays.

    Damaged arrays are recomputed.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder = folder
        self.limit = limit_bytes

    def get(self, name: str, shape: tuple[int, ...], build: Callable[[], Iterable[np.ndarray]]) -> np.memmap:
        """The uint8 array ``name``, read-only; if it is not cached, ``build`` gives its rows in order.

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
                # open it before renaming it to its final name, under which another process may remove it
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
        except FileNotFoundError:  # removed by another process meanwhile
            return None
        with contextlib.suppress(OSError):  # only the access time, by which old arrays are removed
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
                continue  # removed by another process
            if path != keep:
                files.append((state.st_atime, state.st_size, path))
        writing = cache_file.sweep(self.folder) - (size - cache_file.DIGEST)  # by other processes
        used = sum(item[1] for item in files) + size + max(0, writing)
        for _, length, path in sorted(files):
            if used <= self.limit:
                break
            path.unlink(missing_ok=True)  # processes with an open mapping keep the data until they close it
            used -= length


def _write(file: BinaryIO, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> None:
    # Ordinary writes: a full disk then raises OSError, whereas writing through a memory map kills the process.
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    count = 0
    for row in rows:
        assert row.shape == shape[1:], row.shape
        assert row.dtype == np.uint8, row.dtype
        file.write(np.ascontiguousarray(row).tobytes())
        count += 1
    assert count == shape[0], (count, shape)
