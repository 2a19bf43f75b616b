"""Reads lists of text the same way wherever one is read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

WIDE = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 begins
_END = re.compile("\r\n|\n|\r")  # str.splitlines would also break at form feeds and at U+0085, U+2028 and their like


def read_text(file: Path) -> str:
    """The text of ``file``, which is UTF-8; a byte order mark at its start is left out.

    Raises:
        ValueError: the file cannot be read, is binary or is not UTF-8; names the file and the line.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror})") from error
    if data.startswith(WIDE):
        raise ValueError(f"{file}, line 1: the text is UTF-16; save it as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = _line_at(data, error.start)
        raise ValueError(
            f"{file}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8 (perhaps the list is Latin-1); save "
            "it as UTF-8"
        ) from error
    if "\0" in text:
        raise ValueError(f"{file}, line {_line_at(data, data.index(0))}: a zero byte; this is no list of text")
    return text


def raw_lines(file: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) of every line that is not empty, blanks and all; any line ends; errors as ``read_text``."""
    text, start = read_text(file), 0
    for number, end in enumerate(itertools.chain(_END.finditer(text), [None]), 1):
        line = text[start : end.start() if end else len(text)]
        start = end.end() if end else len(text)
        if line:
            yield number, line


def numbered_lines(file: Path) -> list[tuple[int, str]]:
    """(line number from 1, line without surrounding blanks) of every line that is not blank.

    Raises:
        ValueError: as ``read_text``, or there is no line.
    """
    found = [(number, line.strip()) for number, line in raw_lines(file) if line.strip()]
    if not found:
        raise ValueError(f"{file}: the list is empty")
    return found


def fields_of(line: str, *counts: int) -> list[str]:
    """The fields of a line: split at tabs or commas where this gives one of ``counts`` fields, so that they may hold blanks; at
    blanks otherwise."""
    mark = mark_of(line, *counts)
    return line.split() if mark is None else [field.strip() for field in line.split(mark)]


def mark_of(line: str, *counts: int) -> str | None:
    """The tab or comma that separates one of ``counts`` fields; None for blanks."""
    return next((mark for mark in ("\t", ",") if line.count(mark) + 1 in counts), None)


def shown(text: str, most: int = 80) -> str:
    """``text`` as an error shows it: quoted, and not longer than a line."""
    return repr(text if len(text) <= most else text[:most] + "...")


def whole(text: str) -> int | None:
    """The whole number that ``text`` is, in plain digits and at most 18 of them; None where it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _line_at(data: bytes, place: int) -> int:
    return len(re.findall(rb"\r\n|\n|\r", data[:place])) + 1
