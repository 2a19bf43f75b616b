"""Reads the lists of places of Patch-LFW: ``patch_idx_imp.txt`` and ``patch_idx_gen.txt``.

The format is that of the public code of Huber et al. (WACV 2024): a header, then a line per pair with fields separated by tabs.
They are the numbers of the two images; for genuine pairs the number of the image that the patches are taken from; the rows of
the patches and their columns, as Python lists. A patch covers the rows from row - side up to row, without it, and the columns
from column up to column + side, without it, in pixels of a face of 112 x 112. Pair n of the protocol has the images 2 n and
2 n + 1, counted from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from datamodules.list_readers.lines import numbered_lines, shown, whole

FACE = 112  # pixels, the side of the faces that the numbers are for
_LIST = re.compile(r"\[((?:\d+(?:, ?\d+)*)?)\]")
_NUMPY = re.compile(r"np\.int\d+\((\d+)\)")  # NumPy 2 writes its integers like this


@dataclass(frozen=True)
class ListedPatches:
    """The patches of one pair.

    Attributes:
        pair: number of the pair, from 0
        source: number of the image that they are taken from; None for impostor pairs, whose source is the pair's second image
        places: (top, left) of each patch, in pixels of a face of 112 x 112
        line: line number, from 1
    """

    pair: int
    source: int | None
    places: tuple[tuple[int, int], ...]
    line: int


def read_patches(file: Path, genuine: bool, side: int = 16) -> dict[int, ListedPatches]:
    """The patches by number of the pair.

    Args:
        file: the list
        genuine: whether it is of genuine pairs, with a column for the source
        side: of a patch, in pixels of a face of 112 x 112

    Raises:
        ValueError: gives the file, the line and the problem.
    """
    found: dict[int, ListedPatches] = {}
    for line, text in numbered_lines(file):
        if line == 1 and text.startswith("id1"):
            continue
        one = _row(f"{file}, line {line}", text, genuine, side, line)
        if one.pair in found:
            raise ValueError(f"{file}, line {line}: pair {one.pair} is there twice, first in line {found[one.pair].line}")
        found[one.pair] = one
    return found


def _row(where: str, text: str, genuine: bool, side: int, line: int) -> ListedPatches:
    fields = [field.strip() for field in _NUMPY.sub(r"\1", text).split("\t")]
    images = [whole(field.strip()) for field in fields[0].split(",")]
    lists = [_LIST.fullmatch(field) for field in fields[-2:]]
    source = whole(fields[1]) if genuine and len(fields) == 4 else None
    if len(fields) != 3 + genuine or len(images) != 2 or None in images or None in lists or (genuine and source is None):
        wanted = f"two image numbers,{' the number of the source,' if genuine else ''} rows and columns, separated by tabs"
        raise ValueError(f"{where}: expected {wanted}, found {shown(text)}")
    first, second = (number for number in images if number is not None)
    if first % 2 or second != first + 1:
        raise ValueError(f"{where}: the images of pair n are 2 n and 2 n + 1, found {first} and {second}")
    rows, columns = ([int(number) for number in one[1].split(",") if number] for one in lists if one)
    if len(rows) != len(columns):
        raise ValueError(f"{where}: {len(rows)} rows and {len(columns)} columns; each patch has one of both")
    places = tuple((row - side, column) for row, column in zip(rows, columns, strict=True))
    for top, left in places:
        if not (0 <= top <= FACE - side and 0 <= left <= FACE - side):
            raise ValueError(
                f"{where}: the patch in row {top + side}, column {left} is not within {FACE} x {FACE} pixels; rows are "
                f"{side} to {FACE}, columns 0 to {FACE - side}"
            )
    return ListedPatches(first // 2, source, places, line)
