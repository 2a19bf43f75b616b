"""Makes user text safe for a report."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format (bidirectional overrides), surrogate, unassigned, ...
FORMULA = "=+-@＝＋－＠"


def printable(text: str) -> str:
    """The text with control and format characters written as ``\\x1b`` or ``\\u202e``; tabs and line ends are kept."""
    if text.isprintable():
        return text
    return "".join(
        _escaped(letter) if unicodedata.category(letter) in HIDDEN and letter not in "\t\n\r" else letter for letter in text
    )


def visible(text: str) -> str:
    """``printable`` on one line: each run of white space becomes one blank."""
    return printable(" ".join(text.split()))


def spreadsheet(text: str) -> str:
    """A CSV field that no spreadsheet interprets as a formula: a leading apostrophe marks it as text."""
    text = visible(text)
    return "'" + text if text[:1] and text[0] in FORMULA else text


def value_and_interval(entry: Mapping[str, Any] | None, digits: int, factor: float = 1) -> tuple[str, str]:
    """Both as printed, such as ``0.50`` and ``[0.40, 0.60]``; a dash without a value, and no interval without both ends.

    Args:
        entry: with ``value``, and ``low`` and ``high`` if they are known.
        factor: 100 prints percent.
    """
    if entry is None or entry.get("value") is None:
        return "–", ""
    ends = [f"{factor * entry[end]:.{digits}f}" for end in ("low", "high") if entry.get(end) is not None]
    return f"{factor * entry['value']:.{digits}f}", f"[{', '.join(ends)}]" if len(ends) == 2 else ""


def records_csv(records: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """A line per record, with these of its values, or all; None is an empty field. Empty without both. See ``csv_text``."""
    columns = columns or list(records[0] if records else ())
    lines = ([csv_field(record[name]) for name in columns] for record in records)
    return csv_text([map(spreadsheet, columns), *lines]) if columns else ""


def csv_text(lines: Iterable[Iterable[str]]) -> str:
    """RFC 4180 except for the line ends, which are a line feed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def csv_field(value: Any) -> str:
    """Numbers at full precision, texts as ``spreadsheet``; None is empty."""
    if isinstance(value, np.generic):
        value = value.item()  # numpy's numbers are printed with their type
    return "" if value is None else spreadsheet(value) if isinstance(value, str) else repr(value)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
