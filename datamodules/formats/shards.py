"""Shards: tar archives in which the members KEY.jpg and KEY.json (or KEY.cls) are an image and its label.

The layout is that of the webdataset library: the key is the file name up to the first dot, and members with the same key are
adjacent. The archives are parsed here because Python's tarfile takes a damaged header for the end of the archive.

Formats: POSIX.1-1988 (ustar), POSIX.1-2001 (pax), and GNU tar's long names. Nothing is ever extracted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.formats.byte_ranges import Fetcher, state
from datamodules.formats.files import SUFFIXES

BLOCK = 512
SMALL = 1 << 20  # maximum bytes of a member that listing reads: a label, or extended names
IMAGE_SUFFIXES = (*(suffix.lstrip(".") for suffix in SUFFIXES), "img")
LABELS = ("json", "cls")
OTHERS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
}


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, first byte, size, and the offset of its header."""

    name: str
    offset: int
    size: int
    header: int


@dataclass(frozen=True)
class Sample:
    """One image of a shard; ``key`` and ``identity`` are from its label."""

    key: str
    identity: str
    canvas: Member


def members(path: Path) -> Iterator[Member]:
    """The files in an archive, in order.

    Raises:
        ValueError: the archive is damaged, truncated or unsafe; gives file and offset.
    """
    fetcher = Fetcher((path,))
    _, size, _ = state(path)
    at, extra = 0, _Extra()
    while True:
        if at + 2 * BLOCK > size:
            raise ValueError(f"{path}, offset {at}: the archive ends without its end mark; it is truncated")
        try:
            block = fetcher.read(0, at, BLOCK)
            if not block.strip(b"\0"):
                _check_end(fetcher, at, size, extra)
                return
            kind, name, length = _header(block)
            length = extra.size if extra.size is not None and kind not in b"xgLK" else length
            start, end = at + BLOCK, at + BLOCK + length + -length % BLOCK
            if end > size:
                raise ValueError(f"a member of {length} bytes is announced, but the archive ends after {size - start}")
            if kind in b"xgL":
                if length > SMALL:
                    raise ValueError(f"extended names of {length} bytes")
                extra.read(kind, fetcher.read(0, start, length))
            else:
                full = _safe(extra.name if extra.name is not None else name)
                extra = _Extra()
                if kind in (b"0", b"\0", b"7"):
                    yield Member(full, start, length, at)
                elif kind != b"5":  # folders have no content
                    raise ValueError(f"the member {full!r} is {OTHERS.get(kind, f'of the unknown kind {kind!r}')}; refused")
        except ValueError as error:
            text = str(error)
            raise ValueError(text if text.startswith(str(path)) else f"{path}, offset {at}: {text}") from error
        at = end


class _Extra:
    """Extended headers that apply to the next member."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.size: int | None = None

    def read(self, kind: bytes, data: bytes) -> None:
        if kind == b"L":
            self.name = _text(data.split(b"\0")[0])
            return
        at = 0
        while at < len(data):
            digits, blank, _ = data[at : at + 8].partition(b" ")
            length = int(digits) if blank and digits.isdigit() else 0
            key, sign, value = data[at + len(digits) + 1 : at + max(length, 1) - 1].partition(b"=")
            if not sign or at + length > len(data) or data[at + length - 1 : at + length] != b"\n":
                raise ValueError(f"extended names that are damaged after {at} bytes")
            if key.startswith(b"GNU.sparse") or (kind == b"g" and key in (b"path", b"size")):
                raise ValueError(f"extended names with {_text(key)}; refused")
            if key == b"path":
                self.name = _text(value)
            elif key == b"size":
                self.size = _decimal(value)
            at += length


def _check_end(fetcher: Fetcher, at: int, size: int, extra: _Extra) -> None:
    if extra.name is not None or extra.size is not None:
        raise ValueError("extended names without a member")
    while at < size:
        data = fetcher.read(0, at, min(SMALL, size - at))
        if data.strip(b"\0"):
            raise ValueError(f"the archive ends here, but something follows before offset {at + len(data)}")
        at += len(data)


def _header(block: bytes) -> tuple[bytes, str, int]:
    """Kind, name and size of a member."""
    told = _octal(block[148:156])
    found = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    signed = found - 256 * sum(byte > 127 for byte in block[:148] + block[156:])
    if told not in (found, signed):
        raise ValueError(f"no header of a member: its sum is {found}, and it says {told}")
    name = block[:100].split(b"\0")[0]
    if block[257:263] == b"ustar\0" and block[345] != 0:
        name = block[345:500].split(b"\0")[0] + b"/" + name
    kind = block[156:157]
    # Very old archives mark folders only by a trailing slash.
    return b"5" if kind in b"0\0" and name.endswith(b"/") else kind, _text(name), _octal(block[124:136])


def _octal(field: bytes) -> int:
    if field[0] == 0x80:  # GNU: a binary number, for sizes beyond the octal digits
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip(b" ")
    if not text or text.strip(b"01234567"):
        raise ValueError(f"no header of a member: the number {field!r} is not octal")
    return int(text, 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 18:
        raise ValueError(f"extended names with the size {value[:40]!r}")
    return int(value)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"a name that is not UTF-8: {data[:60]!r}") from error


def _safe(name: str) -> str:
    """``name``; ValueError if extracting it could write outside the target folder."""
    if not name or name.startswith("/") or ".." in name.replace("\\", "/").split("/") or "\0" in name:
        raise ValueError(f"the name {name!r} is no path below a folder; refused")
    return name


def samples(path: Path) -> Iterator[Sample]:
    """The images of a shard, in order. If a label has no key, the key is made of the shard's and the member's names.

    Raises:
        ValueError: as ``members``; or members of a key are not adjacent, lack image or label, or the label is invalid.
    """
    fetcher = Fetcher((path,))
    seen: set[str] = set()
    stem, parts = "", dict[str, Member]()
    for member in members(path):
        folder, slash, name = member.name.removeprefix("./").rpartition("/")
        first, _, suffix = name.partition(".")
        key = folder + slash + first
        if key != stem:
            if parts:
                yield _sample(path, fetcher, stem, parts)
            if key in seen:
                raise ValueError(f"{path}, offset {member.header}: the key {key!r} occurs twice, with other keys between")
            seen.add(key)
            stem, parts = key, {}
        if suffix.lower() in parts:
            raise ValueError(f"{path}, offset {member.header}: the member {member.name!r} occurs twice")
        parts[suffix.lower()] = member
    if parts:
        yield _sample(path, fetcher, stem, parts)


def _sample(path: Path, fetcher: Fetcher, key: str, parts: dict[str, Member]) -> Sample:
    first = next(iter(parts.values()))
    rendered = [suffix for suffix in parts if suffix in IMAGE_SUFFIXES]
    label = next((suffix for suffix in LABELS if suffix in parts), None)
    if len(rendered) != 1 or label is None:
        raise ValueError(
            f"{path}, offset {first.header}: the key {key!r} has {', '.join(parts)}; "
            f"wanted are one image ({', '.join(IMAGE_SUFFIXES)}) and one label ({' or '.join(LABELS)})"
        )
    canvas, told = parts[rendered[0]], parts[label]
    if told.size > SMALL:
        raise ValueError(f"{path}, offset {told.header}: a label of {told.size} bytes")
    try:
        text = _text(fetcher.read(0, told.offset, told.size))
        said = _label(text) if label == "json" else {"identity": _class(text)}
        own = _safe(said["key"]) if "key" in said else f"{path.stem}/{canvas.name}"
    except ValueError as error:
        raise ValueError(f"{path}, offset {told.header}: the label {told.name!r}: {error}") from error
    return Sample(own, said["identity"], canvas)


def _class(text: str) -> str:
    if not text.strip().isdecimal() or len(text.strip()) > 18:
        raise ValueError(f"expected a class number, found {text[:40]!r}")
    return str(int(text))


def _label(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError(f"expected a JSON object, found {text[:40]!r}")
    if "identity" not in said and isinstance(said.get("label"), int):
        said["identity"] = str(said["label"])
    for field in ("identity", "key"):
        if (field == "identity" or field in said) and (not isinstance(said.get(field), str) or not said[field]):
            raise ValueError(
                f"expected a text {field!r}, found {said.get(field)!r} (the label has {', '.join(said) or 'nothing'})"
            )
        said.get(field, "").encode()  # a lone surrogate cannot be encoded and gives an error of UTF-8
    return said
