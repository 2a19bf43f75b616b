"""Names of a dataset's numbered subjects, to compare subjects between datasets."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from datamodules.list_readers.lines import numbered_lines, shown

NAMESPACES = ("agedb", "lfw")  # whose identities are names; CALFW, CPLFW and XQLFW have those of LFW
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})


def normalized(name: str) -> str:
    """A name without case, accents, spaces and punctuation: "José_A._Ruiz" and "jose a ruiz" become equal."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold().translate(_PLAIN))
    return "".join(mark for mark in apart if mark.isalnum())


def names_in(namespace: str, identities: Iterable[str]) -> dict[str, str]:
    """Identity -> name, where the identities of a namespace are names: ``NAMESPACES``."""
    return {who: normalized(who) for who in identities} if namespace in NAMESPACES else {}


def read_identity_meta(file: Path) -> dict[str, str]:
    """Subject -> name from VGGFace2's ``identity_meta.csv``: ``n000001, "14th_Dalai_Lama",424,0, m,``.

    Columns are found by their headers, Class_ID and Name.

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    lines = numbered_lines(file)
    rows = [(number, _fields(file, number, text)) for number, text in lines]
    head = rows[0][1]
    if "Class_ID" not in head or "Name" not in head:
        raise ValueError(f"{file}, line {rows[0][0]}: expected a title line with Class_ID and Name, found {shown(lines[0][1])}")
    place, named = head.index("Class_ID"), head.index("Name")
    return _names(file, [(number, fields[place : place + 1], fields[named : named + 1]) for number, fields in rows[1:]])


def read_numbered_names(file: Path) -> dict[str, str]:
    """Subject -> name from a list such as CASIA-WebFace's, with a number, spaces or a tab, and a name per line.

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    split = [(number, re.split(r"[\t ,]+", text, maxsplit=1)) for number, text in numbered_lines(file)]
    return _names(file, [(number, parts[:1], parts[1:]) for number, parts in split])


def _fields(file: Path, number: int, text: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([text], skipinitialspace=True, strict=True))]
    except (csv.Error, StopIteration) as error:
        raise ValueError(f"{file}, line {number}: no line of a table with commas ({error}): {shown(text)}") from error


def _names(file: Path, rows: Sequence[tuple[int, Sequence[str], Sequence[str]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, subject, name in rows:
        if not any(subject) or not any(name):
            raise ValueError(
                f"{file}, line {number}: expected a subject's number and a name, found {shown(' '.join([*subject, *name]))}"
            )
        if subject[0] in found:
            raise ValueError(f"{file}, line {number}: the subject {subject[0]} occurs twice")
        found[subject[0]] = name[0]
    if not found:
        raise ValueError(f"{file}: the list names nobody")
    return found
