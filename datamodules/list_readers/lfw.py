"""The pair lists of Labeled Faces in the Wild.

Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. University of Massachusetts, Amherst, Report 07-49, 2007.

View 1 (``pairsDevTrain.txt``, ``pairsDevTest.txt``) is for model selection, View 2 (``pairs.txt``) for reporting. A line with
three fields is a genuine pair (subject, number, number), one with four an impostor pair (subject, number, subject, number). The
first line gives the number of pairs of each kind, in View 2 preceded by the number of folds, each with that many pairs.
Fields are separated by tabs, commas or spaces; with tabs and commas, names may contain spaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datamodules.list_readers.lines import fields_of, is_folder, numbered_lines, shown, whole

ListName = Literal["view1_test", "view1_train", "view2"]
FILES: dict[str, str] = {"view1_test": "pairsDevTest.txt", "view1_train": "pairsDevTrain.txt", "view2": "pairs.txt"}
FOLDS = 10  # number of folds made for View 1, which has none

Row = tuple[str, str, bool, int, int]
"""left, right, same, fold and line of a ``PairList``."""


@dataclass(frozen=True)
class PairList:
    """Pairs of image keys, such as "Ann_Veneman/Ann_Veneman_0003.jpg", in list order; columns of equal length."""

    file: Path
    left: tuple[str, ...]
    right: tuple[str, ...]
    same: tuple[bool, ...]
    fold: tuple[int, ...]
    line: tuple[int, ...]  # line number, from 1

    @classmethod
    def of(cls, file: Path, rows: Iterable[Row]) -> PairList:
        return cls(file, *zip(*rows, strict=True))

    def rows(self) -> Iterator[Row]:
        return zip(self.left, self.right, self.same, self.fold, self.line, strict=True)

    def places(self) -> dict[str, int]:
        """Each image in the list -> the first line that names it, in order of appearance."""
        found: dict[str, int] = {}
        for left, right, _, _, line in self.rows():
            found.setdefault(left, line)
            found.setdefault(right, line)
        return found

    def subjects(self) -> set[str]:
        return {key.split("/")[0] for key in self.places()}


def image_key(subject: str, number: int) -> str:
    return f"{_stem(subject, number)}.jpg"


def _stem(subject: str, number: int) -> str:
    return f"{subject}/{subject}_{number:04d}"


def read_list(root: Path, name: ListName) -> PairList:
    """Reads one of the three lists from ``root``.

    View 1 is given ten folds: genuine pair i of n is in fold floor(10 i / n), and so is impostor pair i of n. Each fold has as
    many genuine as impostor pairs and depends only on the list.

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    file = root / FILES[name]
    texts = numbered_lines(file)
    folds, size = _head(file, texts[0][1].replace(",", " ").split(), name)
    body = [(number, fields_of(line, 3, 4)) for number, line in texts[1:]]
    check_count(f"{file}, line {texts[0][0]}", folds, size, len(body))
    rows = []
    for position, (number, fields) in enumerate(body):
        block, place = divmod(position, size)
        same = block % 2 == 0
        fold = block // 2 if name == "view2" else place * min(FOLDS, size) // size
        rows.append((*_pair(file, number, fields, same), same, fold, number))
    return PairList.of(file, rows)


def _head(file: Path, fields: list[str], name: ListName) -> tuple[int, int]:
    wanted = 2 if name == "view2" else 1
    if len(fields) != wanted or not all(map(whole, fields)):
        what = "the numbers of folds and of pairs" if wanted == 2 else "the number of pairs"
        raise ValueError(f"{file}, line 1: expected {what}, found {shown(' '.join(fields))}")
    return (int(fields[0]), int(fields[1])) if wanted == 2 else (1, int(fields[0]))


def check_count(where: str, folds: int, size: int, found: int) -> None:
    """Raises ValueError unless there are as many lines as the first one announces."""
    if found != 2 * folds * size:
        raise ValueError(f"{where}: announces {folds} x ({size} genuine + {size} impostor) pairs, found {found} lines")


def _pair(file: Path, number: int, fields: list[str], same: bool) -> tuple[str, str]:
    where = f"{file}, line {number}"
    kind = "a genuine pair (subject, number, number)" if same else "an impostor pair (subject, number, subject, number)"
    numbers = fields[1:] if same else fields[1::2]
    if len(fields) != (3 if same else 4) or not all(map(whole, numbers)):
        raise ValueError(f"{where}: expected {kind}, found {shown(' '.join(fields))}")
    left, right = named_pair(where, fields)
    if left == right:
        raise ValueError(f"{where}: compares the image {left}.jpg with itself")
    return f"{left}.jpg", f"{right}.jpg"


def named_pair(where: str, fields: list[str]) -> tuple[str, str]:
    """The images, without suffix, of (subject, number, number) or (subject, number, subject, number).

    Raises:
        ValueError: a subject's name is no folder's, or an impostor pair is of one subject; starts with ``where``.
    """
    subjects = fields[:-1:2]
    for subject in subjects:
        if not is_folder(subject):
            raise ValueError(f"{where}: {shown(subject)} is no subject's folder")
    if len(subjects) == 2 and subjects[0] == subjects[1]:
        raise ValueError(f"{where}: an impostor pair of one subject, {subjects[0]}")
    return _stem(subjects[0], int(fields[1])), _stem(subjects[-1], int(fields[-1]))
