"""Where images lie in files that hold many of them, and how their bytes are fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from datamodules.manifest import Manifest

OPEN = 64  # files held open at a time, per dataset


@dataclass(frozen=True, eq=False)
class ByteRanges:
    """One row per image; arrays of one length.

    Attributes:
        files: the files that hold images
        file: int32, which of them
        offset: int64, the first byte
        length: int64, bytes
        coding: int8, how the bytes are written there; its meaning is the format's own
    """

    files: tuple[Path, ...]
    file: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    coding: np.ndarray

    def __len__(self) -> int:
        return len(self.file)

    def subset(self, rows: Sequence[int] | np.ndarray) -> ByteRanges:
        chosen = np.asarray(rows, np.int64)
        return ByteRanges(self.files, self.file[chosen], self.offset[chosen], self.length[chosen], self.coding[chosen])

    def name(self, row: int) -> str:
        """What errors call a place."""
        return f"{self.files[self.file[row]]}, offset {self.offset[row]}"


NOWHERE = ByteRanges((), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8))


@dataclass(frozen=True, eq=False)
class Listing:
    """The images that files hold, before any is read: columns of one length."""

    keys: tuple[str, ...]
    identities: tuple[str, ...]
    places: ByteRanges

    def subset(self, rows: Sequence[int]) -> Listing:
        return Listing(
            tuple(self.keys[row] for row in rows), tuple(self.identities[row] for row in rows), self.places.subset(rows)
        )


@dataclass(frozen=True)
class Placed(Manifest):
    """A manifest that also knows where each image lies."""

    places: ByteRanges = field(default=NOWHERE, compare=False, repr=False)

    @classmethod
    def of(cls, manifest: Manifest, places: ByteRanges) -> Placed:
        assert len(manifest) == len(places), (len(manifest), len(places))
        columns = (manifest.keys, manifest.identities, manifest.widths, manifest.heights, manifest.digests)
        return cls(*columns, manifest.skipped, places)

    def subset(self, rows: Iterable[int]) -> Placed:
        chosen = [int(row) for row in rows]
        return Placed.of(super().subset(chosen), self.places.subset(chosen))


class Fetcher:
    """Reads bytes at places; safe for threads, forked processes and pickling."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self._open: dict[int, _File] = {}

    def __getstate__(self) -> tuple[Path, ...]:
        return self.files

    def __setstate__(self, files: tuple[Path, ...]) -> None:
        self.__init__(files)  # type: ignore[misc]

    def read(self, file: int, offset: int, length: int) -> bytes:
        """Exactly those bytes.

        Raises:
            ValueError: the file is gone or ends before.
        """
        path = self.files[file]
        try:
            data = self._file(file).read(offset, length)
        except OSError as error:
            raise ValueError(f"{path}, offset {offset}: {error.strerror}") from error
        if len(data) != length:
            raise ValueError(f"{path}, offset {offset}: the file ends after {len(data)} of {length} bytes")
        return data

    def _file(self, file: int) -> _File:
        # No lock: a process that is forked while a thread holds one waits for ever. Two threads may open a file twice.
        found = self._open.get(file)
        if found is None:
            if len(self._open) >= OPEN:
                self._open.clear()  # each is closed when the last thread that reads from it is done
            found = self._open[file] = _File(self.files[file])
        return found


class _File:
    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self.number, length, offset)
        while len(data) < length:  # one call gives 2 GiB at most, and on some disks less than was asked for
            more = os.pread(self.number, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


State = tuple[str, int, int]  # path, size, mtime_ns


def states(files: Iterable[Path]) -> tuple[State, ...]:
    """What the files are now.

    Raises:
        ValueError: one is absent.
    """
    found = []
    for file in files:
        try:
            state = os.stat(file)
        except OSError as error:
            raise ValueError(f"{file}: {error.strerror}") from error
        found.append((str(file.resolve()), state.st_size, state.st_mtime_ns))
    return tuple(found)
