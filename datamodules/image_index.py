"""Reads every image of a dataset once and caches the results.

The cache is a set of Parquet files. A row has a file's name, size and modification time, and the result of reading it. Each
scan adds a file with its new rows, named by their content, so that several processes can scan concurrently without overwriting
each other's results. A row is valid while size and modification time are unchanged.

Images are files in a folder or lie in a container file (``Source``), whose size and modification time are then used.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.data_interfaces import Progress
from datamodules import cache_file
from datamodules.images import decode, read_bytes
from datamodules.manifest import Manifest

VERSION = 2  # raise to invalidate cached rows: after a change in decoding or in the file format
THREADS = min(8, os.cpu_count() or 1)
BLOCK = 512  # images given to the threads at a time
PART = 51_200  # number of images after which new rows are saved, so that an interrupted scan of millions can resume
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("error", pa.string()),
    ]
)

Images = Sequence[tuple[str, str]]  # (key, identity); the key is the file's path relative to the root, with slashes
Stamp = tuple[str, int, int]  # key, size, mtime_ns
Facts = tuple[int, int, str, str]  # width, height, sha256, error


class Source(Protocol):
    """How a scan reads its images; row i is the i-th of them."""

    def stamps(self, images: Images) -> list[Stamp]:
        """Key, size and modification time of each image; ValueError if a file is missing."""

    def read(self, row: int, key: str) -> bytes:
        """The bytes of an image; ValueError if they cannot be read at all."""

    def name(self, row: int, key: str) -> str:
        """Description of an image in error messages: the file, and the place in it."""


@dataclass(frozen=True)
class Folder:
    """Images in files below ``root``; the key is the path."""

    root: Path

    def stamps(self, images: Images) -> list[Stamp]:
        with ThreadPoolExecutor(THREADS) as pool:  # sequential calls take minutes on a network disk
            found = [item for block in pool.map(self._stamps, _blocks(images, 1000)) for item in block]
        wrong = [item for item in found if isinstance(item, str)]
        if wrong:
            many = f"; {len(wrong)} of {len(found)} files cannot be read" if len(wrong) > 1 else ""
            raise ValueError(
                f"{wrong[0]}{many}; restore it, or remove it from the dataset's list (on_bad_image is for damaged images)"
            )
        return [item for item in found if not isinstance(item, str)]

    def read(self, row: int, key: str) -> bytes:
        return read_bytes(self.root / key)  # an error of the disk, not a bad image: not covered by the policy

    def name(self, row: int, key: str) -> str:
        return str(self.root / key)

    def _stamps(self, block: Images) -> list[Stamp | str]:
        """The stamp of each file, or an error message."""
        found: list[Stamp | str] = []
        for key, _ in block:
            try:
                key.encode()
                state = os.stat(self.root / key)
            except UnicodeEncodeError:
                found.append(f"{str(self.root / key).encode(errors='backslashreplace').decode()}: the file's name is not UTF-8")
            except OSError as error:
                found.append(f"{self.root / key}: {error.strerror}")
            else:
                whole = stat.S_ISREG(state.st_mode)  # reading a pipe would block forever
                found.append((key, state.st_size, state.st_mtime_ns) if whole else f"{self.root / key}: is no file")
        return found


class StoredImages:
    """Images read from their source on demand; row i is row i of the manifest."""

    def __init__(self, manifest: Manifest, source: Source) -> None:
        self.manifest = manifest
        self._source = source

    def __len__(self) -> int:
        return len(self.manifest)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3); errors as ``data``."""
        return decode(self.data(index), self._source.name(index, self.manifest.keys[index]))

    def data(self, index: int) -> bytes:
        """The stored bytes of the image.

        Raises:
            ValueError: they no longer exist, or differ from those that were scanned.
        """
        key = self.manifest.keys[index]
        found = self._source.read(index, key)
        if hashlib.sha256(found).hexdigest() != self.manifest.digests[index]:
            where = self._source.name(index, key)
            raise ValueError(f"{where}: the file changed after it was scanned; plan the grid again")
        return found


def cached(root: Path, images: Images, policy: str, cache: Path, source: Source | None = None) -> Manifest | None:
    """The manifest of ``images`` if each file has a valid row; None if a scan is needed. Reads no image.

    Raises:
        ValueError: a file is missing; or an image is known to be bad and ``policy`` is "fail".
    """
    source = source or Folder(root)
    known = _recall(root, cache)
    if len(known) < len(images):
        return None
    stamps = source.stamps(images)
    if any(stamp not in known for stamp in stamps):
        return None
    return _manifest(root, images, [known[stamp] for stamp in stamps], policy, source)


def scan(
    root: Path, images: Images, policy: str, cache: Path, progress: Progress | None = None, source: Source | None = None
) -> Manifest:
    """Reads the images without a valid row, caches the results, and returns the manifest.

    Raises:
        ValueError: a file is missing or not readable; or an image is bad and ``policy`` is "fail"; or all are bad.
    """
    origin = source or Folder(root)
    known = _recall(root, cache)
    stamps = origin.stamps(images)
    due = [row for row, stamp in enumerate(stamps) if stamp not in known]
    done = len(stamps) - len(due)
    with ThreadPoolExecutor(THREADS) as pool:
        for part in _blocks(due, PART):
            fresh: dict[Stamp, Facts] = {}
            for block in _blocks(part, BLOCK):
                for row, facts in zip(
                    block, pool.map(lambda row: _facts(origin.read(row, images[row][0])), block), strict=True
                ):
                    fresh[stamps[row]] = facts
                    done += 1
                    if progress is not None:
                        progress(done, len(stamps))
            _keep(root, cache, fresh)
            known |= fresh
    return _manifest(root, images, [known[stamp] for stamp in stamps], policy, origin)


def _facts(data: bytes) -> Facts:
    digest = hashlib.sha256(data).hexdigest()
    try:
        height, width, _ = decode(data, "").shape
    except ValueError as error:
        return 0, 0, digest, str(error).removeprefix(": ")
    return width, height, digest, ""


def _manifest(root: Path, images: Images, facts: Sequence[Facts], policy: str, source: Source) -> Manifest:
    skipped = {key: found[3] for (key, _), found in zip(images, facts, strict=True) if found[3]}
    if skipped and policy == "fail":
        row = next(row for row, found in enumerate(facts) if found[3])
        count = f"{len(skipped)} of {len(images)} images cannot be read"
        raise ValueError(f"{source.name(row, images[row][0])}: {facts[row][3]}; {count}; on_bad_image: skip leaves them out")
    if images and len(skipped) == len(images):
        raise ValueError(f"{root}: none of the {len(images)} images can be read; the first, {images[0][0]}: {facts[0][3]}")
    rows = [(key, who, *found[:3]) for (key, who), found in zip(images, facts, strict=True) if not found[3]]
    keys, identities, widths, heights, digests = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Manifest(keys, identities, widths, heights, digests, skipped)


def _prefix(root: Path) -> str:
    return f"scan{VERSION}-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]}-"


def _recall(root: Path, cache: Path) -> dict[Stamp, Facts]:
    known: dict[Stamp, Facts] = {}
    for file in sorted(cache.glob(f"{_prefix(root)}*.parquet")):
        if (data := cache_file.read(file)) is None:
            continue  # its images will be read again
        columns = pq.read_table(pa.BufferReader(data), schema=SCHEMA).to_pydict()
        key, size, time, width, height, sha256, error = (columns[name] for name in SCHEMA.names)
        facts = zip(width, height, sha256, error, strict=True)
        known.update(zip(zip(key, size, time, strict=True), facts, strict=True))
    return known


def _keep(root: Path, cache: Path, fresh: Mapping[Stamp, Facts]) -> None:
    rows = [(*stamp, *facts) for stamp, facts in fresh.items()]
    name = _prefix(root) + hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    table = pa.table(columns, schema=SCHEMA)
    cache_file.save(cache / f"{name}.parquet", lambda file: pq.write_table(table, file))
    cache_file.sweep(cache)


Item = TypeVar("Item")


def _blocks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
