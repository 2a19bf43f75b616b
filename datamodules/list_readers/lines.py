"""Common functions to read text lists."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte order marks of UTF-16
_END = re.compile("\r\n|\n|\r")  # str.splitlines also splits at form feeds, U+0085, U+2028 and others


def read_text(file: Path) -> str:
    """The text of the UTF-8 file ``file``, without a byte order mark.

    Raises:
        ValueError: the file cannot be read, is binary or is not UTF-8; gives the file and the line.
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
    """(line number from 1, unstripped line) of every non-empty line, with any line endings; errors as ``read_text``."""
    text, start = read_text(file), 0
    for number, end in enumerate(itertools.chain(_END.finditer(text), [None]), 1):
        line = text[start : end.start() if end else len(text)]
        start = end.end() if end else len(text)
        if line:
            yield number, line


def numbered_lines(file: Path) -> list[tuple[int, str]]:
    """(line number from 1, stripped line) of every non-blank line.

    Raises:
        ValueError: as ``read_text``, or there is no such line.
    """
    found = [(number, line.strip()) for number, line in raw_lines(file) if line.strip()]
    if not found:
        raise ValueError(f"{file}: the list is empty")
    return found


def fields_of(line: str, *counts: int) -> list[str]:
    """The fields of a line: split at tabs or commas if this gives one of the ``counts``, so that fields may contain spaces;
    otherwise split at spaces.
    """
    mark = mark_of(line, *counts)
    return line.split() if mark is None else [field.strip() for field in line.split(mark)]


def mark_of(line: str, *counts: int) -> str | None:
    """The tab or comma that gives one of the ``counts`` of fields; None for spaces."""
    return next((mark for mark in ("\t", ",") if line.count(mark) + 1 in counts), None)


def shown(text: str, most: int = 80) -> str:
    """``text`` for an error message: quoted and truncated."""
    return repr(text if len(text) <= most else text[:most] + "...")


def whole(text: str) -> int | None:
    """The integer in ``text``, if it has only digits, at most 18; otherwise None."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def is_folder(name: str) -> bool:
    """Whether ``name`` can be the folder of a subject: not empty, hidden or a path."""
    return bool(name) and not name.startswith(".") and "/" not in name and "\\" not in name


def _line_at(data: bytes, place: int) -> int:
    return len(re.findall(rb"\r\n|\n|\r", data[:place])) + 1
