"""RecordIO, the container of MXNet: ``train.rec`` with its index ``train.idx``.

Chen et al.: MXNet: A flexible and efficient machine learning library for heterogeneous distributed systems. 2015.

A record has one or more parts. A part is the magic number, a word (3 bits: 0 whole, 1 first, 2 middle, 3 last; 29 bits:
length) and its bytes, zero-padded to a multiple of four. A record that contains the magic number at a multiple of four is split
there, without the number. Its bytes start with a header (flag, label, two ids). If the flag is not 0, that many float32 labels
follow and replace the header's label. All numbers are little-endian.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.formats.byte_ranges import Fetcher, state
from datamodules.images import read_bytes

MAGIC = 0xCED7230A
PART = struct.Struct("<II")  # magic number, kind and length
HEADER = struct.Struct("<IfQQ")  # flag, label, two ids
LENGTH = (1 << 29) - 1
LONGEST = 1 << 28  # maximum bytes of a record: no face image is larger, and a damaged index may contain any value
BLOCK = 32 << 20  # bytes per read
DIGITS = 18  # maximum digits of a number in the index; more would not fit into 64 bits
LABELS = 2  # labels kept per record
_NUMBER = rb"\d{1,%d}+" % DIGITS  # possessive, as the other quantifiers: without backtracking, millions of lines take a second
_LINES = re.compile(rb"(?:%b\t%b\r?+(?:\n|\Z))++" % (_NUMBER, _NUMBER))


@dataclass(frozen=True, eq=False)
class Records:
    """The headers of all records, in file order; arrays of equal length.

    Attributes:
        number: int64, the record's number in the index
        offset: int64, the first byte
        length: int64, bytes including all parts and padding
        flag: int64, number of labels after the header
        labels: float32 (N, 2), the first two labels, or the header's label; NaN if missing
        payload: int64, bytes after the labels
    """

    number: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    flag: np.ndarray
    labels: np.ndarray
    payload: np.ndarray


def read_index(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The numbers and offsets in an ``.idx`` file, int64 (N,) each, in file order.

    Raises:
        ValueError: a line is not "number, tab, offset"; gives the offset of the line.
    """
    text = read_bytes(path)
    if not text.strip():
        raise ValueError(f"{path}: the index is empty")
    good = _LINES.match(text)
    place = good.end() if good else 0
    if place < len(text):
        found = text[place:].partition(b"\n")[0][:60].decode(errors="replace")
        raise ValueError(f"{path}, offset {place}: expected a number, a tab and an offset, found {found!r}")
    numbers = np.fromstring(text, np.int64, sep=" ").reshape(-1, 2)
    return numbers[:, 0], numbers[:, 1]


def read_headers(path: Path, number: np.ndarray, offset: np.ndarray) -> Records:
    """Reads the header of every record and checks that the records fill the file without gaps.

    Raises:
        ValueError: index and file disagree, or a record is damaged; gives file and offset.
    """
    order = np.argsort(offset, kind="stable")
    number, offset = number[order], offset[order]
    ordered = np.sort(number)
    if (twice := np.flatnonzero(ordered[1:] == ordered[:-1])).size:
        raise ValueError(f"{path}: its index names record {ordered[twice[0]]} twice")
    _, size, _ = state(path)
    end = np.append(offset[1:], size)
    bad = (offset % 4 != 0) | (end - offset < PART.size) | (end - offset > LONGEST)
    if offset[0] != 0 or bad.any():
        first = int(offset[int(np.argmax(bad))]) if offset[0] == 0 else 0
        raise ValueError(f"{path}, offset {first}: the index has no whole record here (the file has {size} bytes)")
    found = Records(
        number, offset, end - offset, np.zeros_like(offset), np.full((len(offset), LABELS), np.nan, "f4"), np.zeros_like(offset)
    )
    fetcher = Fetcher((path,))
    first = 0
    while first < len(offset):
        last = max(first + 1, int(np.searchsorted(end, offset[first] + BLOCK, "right")))
        _read_block(path, fetcher, found, slice(first, last))
        first = last
    return found


def _read_block(path: Path, fetcher: Fetcher, found: Records, rows: slice) -> None:
    start, offset, length = int(found.offset[rows][0]), found.offset[rows], found.length[rows]
    data = fetcher.read(0, start, int((offset + length)[-1]) - start)
    # Pad the block with zeros, so that a short last record needs no special case.
    words = np.frombuffer(data + bytes(-len(data) % 4 + 64), "<u4")
    at = (offset - start) // 4
    kind, size = words[at + 1] >> 29, (words[at + 1] & LENGTH).astype(np.int64)
    flag = words[at + 2].astype(np.int64)
    whole = kind == 0
    bad = (words[at] != MAGIC) | (kind > 1) | (whole & (8 + (size + 3) // 4 * 4 != length))
    bad |= whole & (size < HEADER.size + 4 * flag)
    floats = words.view("<f4")
    found.flag[rows] = flag
    found.labels[rows, 0] = np.where(flag > 0, floats[at + 8], floats[at + 3])
    found.labels[rows, 1] = np.where(flag > 1, floats[at + 9], np.nan)
    found.payload[rows] = size - HEADER.size - 4 * flag
    for row in np.flatnonzero(bad | ~whole).tolist():
        try:  # a bad record is one of the errors of ``unpack``
            labels, payload, flagged = unpack(data[offset[row] - start :][: length[row]])
        except ValueError as error:
            raise ValueError(f"{path}, offset {offset[row]}: {error}") from error
        place = rows.start + row
        found.flag[place], found.payload[place] = flagged, len(payload)
        found.labels[place] = np.append(labels[:LABELS], np.full(LABELS, np.nan, "f4"))[:LABELS]


def joined(data: bytes) -> bytes:
    """The payload of a record; ``data`` holds all its parts with padding.

    Raises:
        ValueError: the parts do not form one record.
    """
    found: list[bytes] = []
    at = 0
    while True:
        if len(data) - at < PART.size:
            raise ValueError(f"the record ends after {len(data)} bytes, within a part")
        magic, word = PART.unpack_from(data, at)
        kind, length = word >> 29, word & LENGTH
        if magic != MAGIC:
            raise ValueError(f"expected the magic number {MAGIC:#x} {at} bytes into the record, found {magic:#x}")
        if kind not in ((2, 3) if found else (0, 1)):
            raise ValueError(f"part {len(found) + 1} of the record is of kind {kind}")
        at += PART.size
        part, padding = data[at : at + length], data[at + length : at + length + -length % 4]
        if len(part) + len(padding) != length + -length % 4:
            raise ValueError(f"a part of {length} bytes, of which {len(part)} are there")
        if padding.strip(b"\0") or (kind in (1, 2) and padding):
            raise ValueError(f"a part of {length} bytes that is not padded with zeros to four")
        found.append(part)
        at += length + len(padding)
        if kind in (0, 3):
            break
    if at != len(data):
        raise ValueError(f"the record has {at} bytes, but the next one is {len(data)} bytes on")
    return struct.pack("<I", MAGIC).join(found)


def unpack(data: bytes) -> tuple[np.ndarray, bytes, int]:
    """The record's labels float32 (max(flag, 1),), the bytes after them, and the flag; ``data`` as for ``joined``.

    Raises:
        ValueError: the record is damaged.
    """
    record = joined(data)
    if len(record) < HEADER.size:
        raise ValueError(f"a record of {len(record)} bytes has no header ({HEADER.size} bytes)")
    flag, label, _, _ = HEADER.unpack_from(record)
    rest = HEADER.size + 4 * flag
    if len(record) < rest:
        raise ValueError(f"the header announces {flag} labels, but the record has {len(record)} bytes")
    labels = np.frombuffer(record, "<f4", flag, HEADER.size) if flag else np.array([label], "<f4")
    return labels, record[rest:], flag


def image_bytes(data: bytes, coding: int) -> bytes:
    """The bytes after the labels of a record."""
    return unpack(data)[1]
