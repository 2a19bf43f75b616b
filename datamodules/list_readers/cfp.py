"""The lists of Celebrities in Frontal-Profile.

``Protocol/Pair_list_F.txt`` numbers the frontal images from 1, ``Pair_list_P.txt`` the profile images; each line has a number
and a path such as ``../Data/Images/001/frontal/01.jpg``. ``Protocol/Split/FP/01/same.txt`` has the genuine pairs of fold 1 as
``frontal,profile`` numbers, ``diff.txt`` the impostor pairs; ``FF`` has pairs of frontal images.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from datamodules.list_readers.lfw import PairList
from datamodules.list_readers.lines import numbered_lines, shown, whole

Kind = Literal["frontal_profile", "frontal_frontal"]
SPLITS: dict[str, str] = {"frontal_profile": "FP", "frontal_frontal": "FF"}
FOLDS = 10
_IMAGES = "Data/Images/"


def list_files(protocol: Path, kind: Kind) -> list[Path]:
    """The list files that ``kind`` needs, in the folder ``protocol``."""
    second = [protocol / "Pair_list_P.txt"] if kind == "frontal_profile" else []
    return [
        protocol / "Pair_list_F.txt",
        *second,
        *(file for fold in range(FOLDS) for file, _ in _fold_files(protocol, kind, fold)),
    ]


def read_cfp(protocol: Path, kind: Kind) -> list[PairList]:
    """The pairs of all ten folds, one list per file; keys are relative to ``Data/Images``, such as "001/frontal/01.jpg".

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    left = _images(protocol / "Pair_list_F.txt")
    right = _images(protocol / "Pair_list_P.txt") if kind == "frontal_profile" else left
    found = []
    for fold in range(FOLDS):
        for file, same in _fold_files(protocol, kind, fold):
            rows = [(*_pair(file, line, text, left, right), same, fold, line) for line, text in numbered_lines(file)]
            found.append(PairList.of(file, rows))
    return found


def _fold_files(protocol: Path, kind: Kind, fold: int) -> list[tuple[Path, bool]]:
    folder = protocol / "Split" / SPLITS[kind] / f"{fold + 1:02d}"
    return [(folder / "same.txt", True), (folder / "diff.txt", False)]


def _images(file: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for line, text in numbered_lines(file):
        head, _, path = text.partition(" ") if " " in text else text.partition("\t")
        number, (before, mark, key) = whole(head), path.strip().partition(_IMAGES)
        if number is None or not mark or not key or before not in ("", "../", "./"):
            raise ValueError(
                f"{file}, line {line}: expected a number and a path such as ../Data/Images/001/frontal/01.jpg, found "
                f"{shown(text)}"
            )
        if number in found:
            raise ValueError(f"{file}, line {line}: the number {number} occurs twice")
        found[number] = key
    return found


def _pair(file: Path, line: int, text: str, left: dict[int, str], right: dict[int, str]) -> tuple[str, str]:
    numbers = [whole(field.strip()) for field in text.split(",")]
    if len(numbers) != 2 or None in numbers:
        raise ValueError(f"{file}, line {line}: expected two numbers with a comma, found {shown(text)}")
    keys = []
    for number, images, side in zip(numbers, (left, right), ("first", "second"), strict=True):
        assert number is not None
        if number not in images:
            raise ValueError(f"{file}, line {line}: the {side} image, number {number}, is not one of {len(images)} in its list")
        keys.append(images[number])
    if keys[0] == keys[1]:
        raise ValueError(f"{file}, line {line}: compares the image {keys[0]} with itself")
    return keys[0], keys[1]
