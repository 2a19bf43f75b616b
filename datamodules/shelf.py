"""A folder of arrays that were expensive to compute, kept under a limit of bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

ABANDONED = 24 * 3600.0  # seconds after which a half-written file belongs to a process that died


class Shelf:
    """Arrays under names; a name stands for one content. Safe for several processes, each of which gets a whole array."""

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
            # The name is this process's own even where several share the folder over a network.
            temporary = self.folder / f"{name}.{os.uname().nodename}.{os.getpid()}.tmp"
            try:
                self._write(temporary, shape, build())
                size = temporary.stat().st_size
                self._make_room(size, keep=path)
                found = np.load(temporary, mmap_mode="r")
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            found.filename = path
        return found

    def _open(self, path: Path, shape: tuple[int, ...]) -> np.memmap | None:
        try:
            os.utime(path)  # the time of last use, for what is removed first
            found = np.load(path, mmap_mode="r")
        except FileNotFoundError:  # never built, or just removed by another process
            return None
        assert isinstance(found, np.memmap), path
        assert found.shape == shape, (path, found.shape, shape)
        return found

    def _write(self, path: Path, shape: tuple[int, ...], rows: Iterable[np.ndarray]) -> None:
        # Plain writes: a full disk is then an OSError, whereas through a memory map it kills the process.
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            count = 0
            for row in rows:
                assert row.shape == shape[1:], row.shape
                assert row.dtype == np.uint8, row.dtype
                file.write(np.ascontiguousarray(row).tobytes())
                count += 1
            assert count == shape[0], (count, shape)

    def _make_room(self, size: int, keep: Path) -> None:
        now = time.time()
        files: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            try:
                state = path.stat()
                if path.suffix == ".tmp" and now - state.st_mtime > ABANDONED:
                    path.unlink()
                elif path.suffix == ".npy" and path != keep:
                    files.append((state.st_mtime, state.st_size, path))
            except FileNotFoundError:
                continue  # another process was faster
        used = sum(item[1] for item in files) + size
        for _, length, path in sorted(files):
            if used <= self.limit:
                break
            path.unlink(missing_ok=True)  # who has it open keeps it: the bytes go with the last reader
            used -= length
