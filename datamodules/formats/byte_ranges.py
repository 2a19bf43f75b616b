"""Byte ranges of images in container files, and reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from datamodules.manifest import Manifest

OPEN = 64  # maximum number of open files per dataset


@dataclass(frozen=True, eq=False)
class ByteRanges:
    """Location of each image; arrays of equal length.

    Attributes:
        files: the container files
        file: int32, index into ``files``
        offset: int64, the first byte
        length: int64, bytes
        coding: int8, encoding of the bytes; its meaning depends on the format
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
        """Description of a location for error messages."""
        return f"{self.files[self.file[row]]}, offset {self.offset[row]}"


NOWHERE = ByteRanges((), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int8))


@dataclass(frozen=True, eq=False)
class Listing:
    """The images in container files before any is read; columns of equal length."""

    keys: tuple[str, ...]
    identities: tuple[str, ...]
    places: ByteRanges

    @property
    def images(self) -> list[tuple[str, str]]:
        """(key, identity) of each image."""
        return list(zip(self.keys, self.identities, strict=True))

    def subset(self, rows: Sequence[int]) -> Listing:
        return Listing(
            tuple(self.keys[row] for row in rows), tuple(self.identities[row] for row in rows), self.places.subset(rows)
        )


@dataclass(frozen=True)
class Placed(Manifest):
    """A manifest with the location of each image."""

    places: ByteRanges = field(default=NOWHERE, compare=False, repr=False)

    @classmethod
    def of(cls, manifest: Manifest, places: ByteRanges) -> Placed:
        assert len(manifest) == len(places), (len(manifest), len(places))
        return cls(**{name: getattr(manifest, name) for name in cls.columns}, skipped=manifest.skipped, places=places)

    def subset(self, rows: Iterable[int]) -> Self:
        chosen = [int(row) for row in rows]
        return replace(super().subset(chosen), places=self.places.subset(chosen))


class Fetcher:
    """Reads byte ranges; safe with threads, forked processes and pickling."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self._open: dict[int, _File] = {}

    def __getstate__(self) -> tuple[Path, ...]:
        return self.files

    def __setstate__(self, files: tuple[Path, ...]) -> None:
        self.__init__(files)  # type: ignore[misc]

    def read(self, file: int, offset: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises:
            ValueError: the file no longer exists or is too short.
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
        # No lock: a process forked while a thread holds it would deadlock. At worst two threads open the same file.
        found = self._open.get(file)
        if found is None:
            if len(self._open) >= OPEN:
                self._open.clear()  # a file is closed when the last thread reading it is done
            found = self._open[file] = _File(self.files[file])
        return found


class _File:
    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY)

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self.number, length, offset)
        while len(data) < length:  # one call reads at most 2 GiB, and on some disks less than requested
            more = os.pread(self.number, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


State = tuple[str, int, int]  # path, size, mtime_ns


def state(file: Path) -> State:
    """The current state of a file.

    Raises:
        ValueError: it is missing.
    """
    try:
        found = os.stat(file)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    return str(file.resolve()), found.st_size, found.st_mtime_ns
