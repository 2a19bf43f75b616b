"""Reads text lists of image pairs in the common layouts.

========================  ======================================================================================
``lfw``                   ``name n m`` (genuine) and ``name n other m`` (impostor); image n of a subject is
                          ``name/name_000n.jpg``. An optional first line is ``folds size`` or ``size``.
                          LFW, XQLFW and copies of them.
``path_path_label``       one pair per line, label last: 1 genuine, 0 or -1 impostor. Public copies of AgeDB-30 and CFP.
``label_path_path``       the same, label first: the ``*_ann.txt`` of the aligned evaluation sets.
``two_lines_label``       two lines per pair, ``image token`` each, with the same token: 0 impostor, else genuine.
                          CALFW's genuine pairs have their fold, 1 to 10, and its impostors no fold; CPLFW has 1.
``two_lines_subject``     two lines per pair, ``subject/image`` each; genuine if the subjects are equal. SLLFW.
========================  ======================================================================================

Fields are separated by tabs, commas or spaces, as in the first pair; in the layout ``lfw`` by any of them in each line.
With tabs and commas, names may contain spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from datamodules.list_readers.lfw import PairList, check_count, named_pair
from datamodules.list_readers.lines import fields_of, mark_of, numbered_lines, shown, whole

Layout = Literal["lfw", "path_path_label", "label_path_path", "two_lines_label", "two_lines_subject"]
Order = Literal["blocks", "kinds"]
LABELS = {"1": True, "0": False, "-1": False}
TITLES = frozenset(("label", "same", "issame", "is_same", "flag", "target"))  # header names of a label column
Lines = list[tuple[int, str]]


@dataclass(frozen=True)
class Row:
    """One pair: two keys, whether it is genuine, its fold if the list gives one, and its line."""

    left: str
    right: str
    same: bool
    fold: int | None
    line: int


def read_pairs(
    file: Path, layout: Layout, folds: int = 10, order: Order = "blocks", prefix: str = "", suffix: str = ""
) -> PairList:
    """The pairs in ``file``, in its order.

    Args:
        file: the list
        layout: its layout
        folds: number of folds to make if the list does not number them
        order: how they are made. ``blocks``: pair i of n is in fold floor(folds i / n), for lists in fold order.
            ``kinds``: genuine pair i of n is in fold floor(folds i / n), and so is impostor pair i of n
        prefix: prepended to each image's path, such as "images/"
        suffix: appended to it, such as ".png"; in the layout ``lfw``, "" means ".jpg"

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    rows = list(_READERS[layout](file, numbered_lines(file)))
    if layout == "lfw" and not suffix:
        suffix = ".jpg"
    for row in rows:
        if row.left == row.right:
            raise ValueError(f"{file}, line {row.line}: compares the image {row.left} with itself")
    kinds = [row.same for row in rows]
    if not any(kinds) or all(kinds):
        kind = "genuine" if not any(kinds) else "impostor"
        raise ValueError(f"{file}: none of its {len(rows)} pairs is {kind}")
    placed = zip(rows, _folds(file, rows, folds, order), strict=True)
    return PairList.of(
        file, ((prefix + row.left + suffix, prefix + row.right + suffix, row.same, fold, row.line) for row, fold in placed)
    )


def _folds(file: Path, rows: list[Row], folds: int, order: Order) -> list[int]:
    told = {row.fold for row in rows if row.same and row.fold is not None}
    if told:
        if told != set(range(len(told))):
            raise ValueError(
                f"{file}: the folds of its genuine pairs are numbered {sorted(one + 1 for one in told)}, not from 1 on"
            )
        folds, order = len(told), "kinds"  # the list numbers the folds
    places = {True: 0, False: 0}
    counts = {kind: sum(row.same == kind for row in rows) for kind in (True, False)}
    found = []
    for place, row in enumerate(rows):
        if row.fold is not None:
            found.append(row.fold)
        elif order == "blocks":
            found.append(place * folds // len(rows))
        else:
            found.append(places[row.same] * folds // counts[row.same])
        places[row.same] += 1
    have = {(fold, row.same) for fold, row in zip(found, rows, strict=True)}
    for fold in range(folds):
        for same, kind in ((True, "genuine"), (False, "impostor")):
            if (fold, same) not in have:
                hint = "; `order: kinds` spreads each kind over the folds" if order == "blocks" else ""
                raise ValueError(f"{file}: fold {fold + 1} of {folds} has no {kind} pair{hint}")
    return found


def _lfw(file: Path, lines: Lines) -> Iterator[Row]:
    head = [whole(field) for field in lines[0][1].replace(",", " ").split()]
    counts = [number for number in head if number is not None] if len(head) <= 2 else []
    announced = len(head) <= 2 and len(counts) == len(head)
    if announced and 0 in counts:
        raise ValueError(f"{file}, line {lines[0][0]}: announces {lines[0][1]}, which is no pair")
    body = lines[1:] if announced else lines
    folds, size = (counts[0], counts[1]) if len(counts) == 2 else (1, counts[0] if counts else 0)
    if announced:
        check_count(f"{file}, line {lines[0][0]}", folds, size, len(body))
    for place, (number, text) in enumerate(body):
        fields = fields_of(text, 3, 4)
        numbers = [whole(field) for field in (fields[1:] if len(fields) == 3 else fields[1::2])]
        if len(fields) not in (3, 4) or not all(numbers):
            raise ValueError(
                f"{file}, line {number}: expected (subject, number, number) or (subject, number, subject, number), found "
                f"{shown(text)}"
            )
        same = len(fields) == 3
        if announced and same != (place // size % 2 == 0):
            kinds = ("an impostor", "a genuine") if same else ("a genuine", "an impostor")
            raise ValueError(f"{file}, line {number}: expected {kinds[0]} pair, found {kinds[1]} one, {shown(text)}")
        left, right = named_pair(f"{file}, line {number}", fields)
        yield Row(left, right, same, place // (2 * size) if len(counts) == 2 else None, number)


def _triples(label_at: int) -> Callable[[Path, Lines], Iterator[Row]]:
    def read(file: Path, lines: Lines) -> Iterator[Row]:
        split = _splitter(lines[0][1], 3)
        head = split(lines[0][1])
        if len(head) == 3 and head[label_at].casefold() in TITLES:
            lines = lines[1:]
        for number, text in lines:
            fields = split(text)
            if len(fields) != 3 or not all(fields) or fields[label_at] not in LABELS:
                wanted = "label path path" if label_at == 0 else "path path label"
                raise ValueError(f"{file}, line {number}: expected {wanted} with a label of 0, 1 or -1, found {shown(text)}")
            left, right = (_key(field) for place, field in enumerate(fields) if place != label_at % 3)
            yield Row(left, right, LABELS[fields[label_at]], None, number)

    return read


def _two_lines_label(file: Path, lines: Lines) -> Iterator[Row]:
    split = _splitter(lines[0][1], 2)
    tokens: list[tuple[int, str, int]] = []
    for number, text in lines:
        fields = split(text)
        token = whole(fields[1]) if len(fields) == 2 and fields[0] else None
        if token is None:
            raise ValueError(
                f"{file}, line {number}: expected an image and a label (0, or the fold from 1 on), found {shown(text)}"
            )
        tokens.append((number, _key(fields[0]), token))
    numbered = any(token > 1 for _, _, token in tokens)  # if all tokens are 1 they are labels, not folds
    for (line, left, token), (other, right, second) in _two_by_two(file, tokens):
        if token != second:
            raise ValueError(f"{file}, line {other}: the pair of line {line} has two labels, {token} and {second}")
        yield Row(left, right, token > 0, token - 1 if numbered and token else None, line)


def _two_lines_subject(file: Path, lines: Lines) -> Iterator[Row]:
    found: list[tuple[int, str, str]] = []
    for number, text in lines:
        key = _key(text)
        subject, slash, image = key.rpartition("/")
        if not (subject and slash and image):
            raise ValueError(f"{file}, line {number}: expected subject/image, found {shown(text)}")
        found.append((number, key, subject))
    for (line, left, one), (_, right, other) in _two_by_two(file, found):
        yield Row(left, right, one == other, None, line)


Item = TypeVar("Item", tuple[int, str, int], tuple[int, str, str])


def _two_by_two(file: Path, items: list[Item]) -> Iterator[tuple[Item, Item]]:
    if len(items) % 2:
        raise ValueError(f"{file}, line {items[-1][0]}: the last image has none to be compared with ({len(items)} lines)")
    return zip(items[::2], items[1::2], strict=True)


def _splitter(first: str, wanted: int) -> Callable[[str], list[str]]:
    """A function that splits lines at the separator that gives the first line the wanted number of fields."""
    mark = mark_of(first, wanted)
    return str.split if mark is None else lambda text: [field.strip() for field in text.split(mark)]


def _key(path: str) -> str:
    return path.removeprefix("./")


_READERS: dict[str, Callable[[Path, Lines], Iterator[Row]]] = {
    "lfw": _lfw,
    "path_path_label": _triples(-1),
    "label_path_path": _triples(0),
    "two_lines_label": _two_lines_label,
    "two_lines_subject": _two_lines_subject,
}
