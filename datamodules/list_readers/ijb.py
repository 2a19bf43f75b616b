"""Reads the lists of IJB-B and IJB-C in the form used by public evaluation code.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. Fields are separated by one space, and there is no header line:

* ``ijbc_face_tid_mid.txt``: image, template, medium (469,375 lines; IJB-B 227,630)
* ``ijbc_template_pair_label.txt``: template, template, 1 or 0 (15,658,489 lines; IJB-B 8,010,270)
* ``ijbc_name_5pts_score.txt``: image, x and y of eyes, nose and corners of the mouth in the loose crop, detection score

The galleries and probes of the 1:N protocol are CSV files with a header line and one line per image; only the columns
TEMPLATE_ID and SUBJECT_ID are used. They are called G1 and G2 in IJB-C, S1 and S2 in IJB-B.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from datamodules.list_readers.lines import raw_lines, shown

Set = Literal["ijbb", "ijbc"]
POINTS = 5
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_ELSEWHERE = re.compile(r"^/|(^|/)\.\.(/|$)|[\\\0]")
Column = tuple[str, Any]  # name, Arrow type


@dataclass(frozen=True)
class Files:
    """The file names of a set's lists in its folder ``meta``."""

    faces: str
    pairs: str
    points: str
    galleries: tuple[str, str]
    probes: str


def files(which: Set) -> Files:
    one, two = ("S1", "S2") if which == "ijbb" else ("G1", "G2")
    return Files(
        faces=f"{which}_face_tid_mid.txt",
        pairs=f"{which}_template_pair_label.txt",
        points=f"{which}_name_5pts_score.txt",
        galleries=(f"{which}_1N_gallery_{one}.csv", f"{which}_1N_gallery_{two}.csv"),
        probes=f"{which}_1N_probe_mixed.csv",
    )


@dataclass(frozen=True, eq=False)
class Faces:
    """Images of templates: names (M,), template and medium int64 (M,) as numbered in the list."""

    file: Path
    names: tuple[str, ...]
    template: np.ndarray
    media: np.ndarray


@dataclass(frozen=True, eq=False)
class TemplatePairs:
    """Pairs of template numbers: left and right int32 (P,), same bool (P,)."""

    file: Path
    left: np.ndarray
    right: np.ndarray
    same: np.ndarray


@dataclass(frozen=True, eq=False)
class Points:
    """Landmarks float32 (M, 5, 2), in pixels of the loose crop, and detection scores float32 (M,) of the images ``names``."""

    file: Path
    names: tuple[str, ...]
    points: np.ndarray
    scores: np.ndarray


def read_faces(file: Path) -> Faces:
    """Reads ``*_face_tid_mid.txt``; errors give file and line. Image names are relative to the folder of crops."""
    table = _table(file, [("image", pa.string()), ("template", pa.int64()), ("medium", pa.int64())])
    names = tuple(table["image"].to_pylist())
    if bad := next((place for place, name in enumerate(names, 1) if _ELSEWHERE.search(name)), 0):
        where = f"{file}, line {line_of(file, bad - 1)}"
        raise ValueError(f"{where}: expected an image below the folder of crops, such as 1.jpg, found {shown(names[bad - 1])}")
    return Faces(file, names, table["template"].to_numpy(), table["medium"].to_numpy())


def read_template_pairs(file: Path) -> TemplatePairs:
    """Reads ``*_template_pair_label.txt``; errors give file and line."""
    table = _table(file, [("template", pa.int32()), ("other template", pa.int32()), ("label", pa.int8())])
    label = table["label"].to_numpy()
    if len(bad := np.flatnonzero((label != 0) & (label != 1))):
        raise ValueError(f"{file}, line {line_of(file, int(bad[0]))}: expected a label of 0 or 1, found {label[bad[0]]}")
    return TemplatePairs(file, table["template"].to_numpy(), table["other template"].to_numpy(), label.astype(bool))


def read_points(file: Path) -> Points:
    """Reads ``*_name_5pts_score.txt``; errors give file and line."""
    numbers = [f"{axis}{place}" for place in range(1, POINTS + 1) for axis in "xy"]
    table = _table(file, [("image", pa.string()), *((name, pa.float32()) for name in [*numbers, "score"])])
    columns = np.stack([table[name].to_numpy() for name in [*numbers, "score"]], axis=1)
    if len(bad := np.flatnonzero(~np.isfinite(columns).all(axis=1) | (columns[:, -1] < 0))):
        raise ValueError(f"{file}, line {line_of(file, int(bad[0]))}: expected finite numbers and a score from 0 on")
    points = np.ascontiguousarray(columns[:, :-1]).reshape(-1, POINTS, 2)
    if len(bad := np.flatnonzero((points == points[:, :1]).all(axis=(1, 2)))):
        raise ValueError(
            f"{file}, line {line_of(file, int(bad[0]))}: the five landmarks are one point, by which no face can be aligned; "
            f"so it is in {len(bad)} of {len(points)} lines"
        )
    return Points(file, tuple(table["image"].to_pylist()), points, np.ascontiguousarray(columns[:, -1]))


def read_subjects(file: Path) -> dict[int, int]:
    """Template -> subject of a gallery or the probes, in list order; errors give file and line."""
    wanted: list[Column] = [("TEMPLATE_ID", pa.int64()), ("SUBJECT_ID", pa.int64())]
    try:
        data = file.read_bytes()
        table = pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(use_threads=False),
            convert_options=pacsv.ConvertOptions(
                column_types=dict(wanted), include_columns=[name for name, _ in wanted], null_values=[]
            ),
        )
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror})") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError, KeyError) as error:
        raise ValueError(f"{file}{_csv_fault(str(error))}") from error
    if not table.num_rows:
        raise ValueError(f"{file}: the list is empty")
    numbers, subjects = (table[name].to_numpy() for name, _ in wanted)
    _, first, back = np.unique(numbers, return_index=True, return_inverse=True)
    odd = np.flatnonzero(subjects != subjects[first][back])
    if len(odd):
        row = int(odd[0])
        raise ValueError(
            f"{file}, line {line_of(file, row + 1)}: template {numbers[row]} shows subject {subjects[row]}, but subject "
            f"{subjects[first][back][row]} before"
        )
    order = np.sort(first)
    return dict(zip(numbers[order].tolist(), subjects[order].tolist(), strict=True))


def line_of(file: Path, row: int) -> int:
    """The line number, from 1, of row ``row`` of a list; a header line is row 0, and empty lines are not counted as rows."""
    return next(itertools.islice(raw_lines(file), row, None))[0]


def _table(file: Path, columns: list[Column]) -> pa.Table:
    try:
        size = file.stat().st_size
        table = pacsv.read_csv(
            file,
            read_options=pacsv.ReadOptions(column_names=[name for name, _ in columns], block_size=1 << 24),
            parse_options=pacsv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pacsv.ConvertOptions(column_types=dict(columns), null_values=[], strings_can_be_null=False),
        )
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror or error})") from error
    except pa.ArrowInvalid as error:
        if size:
            _blame(file, columns)
        raise ValueError(f"{file}: {'the list is empty' if not size else error}") from error
    if not table.num_rows:
        raise ValueError(f"{file}: the list is empty")
    if any(kind == pa.string() for _, kind in columns) and "" in table[columns[0][0]].to_pylist():
        _blame(file, columns)
    return table


def _blame(file: Path, columns: list[Column]) -> None:
    """Raises an error for the first invalid line; slow, so called only after the fast reader has failed."""
    for number, text in raw_lines(file):
        fields = text.split(" ")
        names = ", ".join(name for name, _ in columns)
        if len(fields) != len(columns) or not all(fields):
            raise ValueError(
                f"{file}, line {number}: expected {len(columns)} fields ({names}) with one blank between, found {shown(text)}"
            )
        for field, (name, kind) in zip(fields, columns, strict=True):
            if not _fits(kind)(field):
                raise ValueError(
                    f"{file}, line {number}: {name} is {shown(field)}, expected a "
                    f"{'whole ' if pa.types.is_integer(kind) else ''}number"
                )


def _fits(kind: Any) -> Callable[[str], bool]:
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - 1)
        return lambda field: _WHOLE.fullmatch(field) is not None and -most <= int(field) < most
    return (lambda field: _NUMBER.fullmatch(field) is not None) if pa.types.is_floating(kind) else bool


def _csv_fault(message: str) -> str:
    """Arrow's message with row numbers converted to line numbers (Arrow counts from 1, including the header line)."""
    place = re.search(r"[Rr]ow #(\d+)", message)
    text = " ".join(message.split())
    return f", line {place[1]}: {text}" if place else f", line 1: expected columns TEMPLATE_ID and SUBJECT_ID ({text})"
