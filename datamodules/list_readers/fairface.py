"""Reads FairFace's tables, including those damaged by a spreadsheet.

The columns are file, age, gender, race and service_test, in any order; other columns are ignored. Spreadsheets turn two of the
nine age bands into dates: 3-9 becomes "9-Mar" (or "3-Sep" where the day comes first), 10-19 becomes "19-Oct". A date is
repaired only if its day and month are, in either order, the two ends of one band; 10-Sep, for example, is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from datamodules.ages import AGES, GENDERS
from datamodules.columns import UNKNOWN
from datamodules.list_readers.lines import read_text, shown

RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
KNOWN = {"age": AGES, "gender": GENDERS, "race": RACES}
COLUMNS = ("file", *KNOWN)  # service_test, the image's experiment, is not needed
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATES = (
    re.compile(r"(?P<day>\d{1,2})[- ](?P<name>[A-Za-z]{3,4})\.?"),
    re.compile(r"(?P<name>[A-Za-z]{3,4})\.?[- ](?P<day>\d{1,2})"),
    re.compile(r"\d{4}-(?P<month>\d{2})-(?P<day>\d{2})(?:[ T]00:00:00)?"),
    re.compile(r"(?P<month>\d{1,2})[/.](?P<day>\d{1,2})[/.]\d{4}"),  # or day before month; both orders give the same band
)


@dataclass(frozen=True)
class Table:
    """Rows in the file's order; each column of ``KNOWN`` has indices into its classes, -1 if unknown."""

    keys: tuple[str, ...]
    columns: Mapping[str, Sequence[int]]
    repaired: int  # number of ages repaired from dates

    def labels(self) -> dict[str, list[str | None]]:
        """Column -> the class name of each row, None if unknown."""
        return {name: [names[one] if one >= 0 else None for one in self.columns[name]] for name, names in KNOWN.items()}

    def unlabeled(self) -> dict[str, int]:
        """Column -> number of rows without a label."""
        return {name: labels.count(None) for name, labels in self.labels().items()}


def joined(tables: Sequence[Table]) -> Table:
    """The rows of several tables.

    Raises:
        ValueError: an image is in two of them.
    """
    keys = [key for table in tables for key in table.keys]
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise ValueError(f"the image {twice[0]} is in the tables of both splits")
    columns = {name: [value for table in tables for value in table.columns[name]] for name in KNOWN}
    return Table(tuple(keys), columns, sum(table.repaired for table in tables))


def read_table(file: Path, on_damaged_age: str, on_missing_label: str = "refuse") -> Table:
    """The table in ``file``.

    Args:
        file: UTF-8, separated by commas, or by semicolons as spreadsheets of some languages save it
        on_damaged_age: ``refuse`` or ``repair`` ages that became dates and can be read in one way only
        on_missing_label: ``refuse`` empty fields, or read them as ``unknown``

    Raises:
        ValueError: gives the file, the line and the problem; for damaged ages and missing labels also their number.
    """
    rows = _rows(file)
    keys: dict[str, int] = {}
    columns: dict[str, list[int]] = {name: [] for name in KNOWN}
    damaged: list[str] = []
    empty: list[str] = []
    for line, row in rows:
        where = f"{file}, line {line}"
        key = _path(where, row["file"])
        if key in keys:
            raise ValueError(f"{where}: the image {key} stands in line {keys[key]} already")
        keys[key] = line
        empty += [f"{where}: no {name} of {key}" for name in KNOWN if not row[name]]
        if row["age"] not in AGES and (read := undated(row["age"])) is not None:
            damaged.append(f"{where}: the age {row['age']} was {read} before a spreadsheet took it for a date")
            row = {**row, "age": read}
        for name, known in KNOWN.items():
            columns[name].append(_class(where, name, row[name], known) if row[name] else UNKNOWN)
    if damaged and on_damaged_age == "refuse":
        raise ValueError(
            f"{damaged[0]}; {len(damaged)} of {len(keys)} ages are damaged; download the table again, or on_damaged_age: "
            "repair reads them back"
        )
    if empty and on_missing_label == "refuse":
        raise ValueError(
            f"{empty[0]}; {len(empty)} labels of {len(keys)} images are missing; download the table again, or "
            "on_missing_label: unknown uses these images for their other labels"
        )
    return Table(tuple(keys), columns, len(damaged))


def undated(text: str) -> str | None:
    """The age band that a spreadsheet turned into the date ``text``; None if there is not exactly one."""
    for pattern in _DATES:
        match = pattern.fullmatch(text.strip())
        if match is None:
            continue
        found = match.groupdict()
        name = found.get("name")
        if name is not None and name[:3].casefold() not in MONTHS:
            return None
        month = int(found["month"]) if name is None else MONTHS.index(name[:3].casefold()) + 1
        bands = [
            band
            for band in AGES
            if band.count("-") == 1 and {month, int(found["day"])} == {int(end) for end in band.split("-")}
        ]
        return bands[0] if len(bands) == 1 else None
    return None


def _rows(file: Path) -> list[tuple[int, Mapping[str, str]]]:
    text = read_text(file)
    title = text.partition("\n")[0]
    mark = ";" if title.count(";") > title.count(",") else ","
    # newline="" is required by the csv module: quoted fields may contain line breaks
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=mark)
    try:
        lines = [(reader.line_num, [field.strip() for field in row]) for row in reader if any(field.strip() for field in row)]
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}: no table separated by {mark!r} ({error})") from error
    if not lines:
        raise ValueError(f"{file}: the table is empty")
    number, head = lines[0]
    absent = [name for name in COLUMNS if head.count(name) != 1]
    if absent:
        raise ValueError(
            f"{file}, line {number}: expected one column {absent[0]!r} in the title line, found {shown(mark.join(head))}"
        )
    if len(lines) == 1:
        raise ValueError(f"{file}: the table has a title line and no rows")
    for line, row in lines[1:]:
        if len(row) != len(head):
            raise ValueError(f"{file}, line {line}: expected {len(head)} fields, found {len(row)}: {shown(mark.join(row))}")
    return [(line, dict(zip(head, row, strict=True))) for line, row in lines[1:]]


def _path(where: str, text: str) -> str:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or str(path) == ".":
        raise ValueError(f"{where}: expected an image below the dataset's folder, such as train/1.jpg, found {shown(text)}")
    return str(path)


def _class(where: str, name: str, text: str, known: tuple[str, ...]) -> int:
    if text not in known:
        raise ValueError(f"{where}: unknown {name} {shown(text)} (known: {', '.join(known)})")
    return known.index(text)
