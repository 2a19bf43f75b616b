"""Scores of pairs that were computed elsewhere, in a CSV file: they are evaluated in place of those of a network.

The first line names the columns: ``left``, ``right`` and ``score``, and if there are any ``same``, or ``left_subject`` and
``right_subject``; others are not read. A higher score is more similar. ``left`` and ``right`` are keys of images in the
dataset, or paths that end with them; their order does not matter. It comes with ``pretraining: external``, the head ``gmp``
and ``recipe: none``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from configs.component import LOCATION
from configs.lookup import shortened
from configs.network_interfaces import BackboneConfig
from modules.backbones.stored import AMBIGUOUS, Nothing, rows_of_keys
from modules.layers.embedding import Embedding
from modules.weights.files import sha256

NEEDED = ("left", "right", "score")
SUBJECTS = ("left_subject", "right_subject")
KNOWN = {"1": True, "true": True, "genuine": True, "0": False, "false": False, "impostor": False}


@dataclass(frozen=True, eq=False)
class Scores:
    """The lines of a file.

    Attributes:
        left, right: keys, (n,) text each
        score: float64 (n,)
        same: bool (n,); None if the file does not tell
        ignored: columns that were not read
        lines: (left, right), the lesser one first -> row of the pair
    """

    left: Sequence[str]
    right: Sequence[str]
    score: np.ndarray
    same: np.ndarray | None
    ignored: tuple[str, ...]
    lines: Mapping[tuple[str, str], int]


class ScoredConfig(BackboneConfig):
    """The file. ``dimension`` is a formality: nothing is embedded."""

    name: Literal["scored"] = "scored"
    stored: ClassVar[bool] = True
    finished: ClassVar[bool] = True
    scored: ClassVar[bool] = True
    path: Annotated[Path, LOCATION]
    dimension: int = Field(default=1, ge=1)

    def build(self) -> Embedding:
        return Embedding(Nothing(self), self.dimension)

    def pair_scores(self, left: Sequence[str], right: Sequence[str], same: np.ndarray) -> np.ndarray:
        """float64 (n,): the score of each pair.

        Args:
            left, right: keys of the pairs' images
            same: bool (n,), as the protocol says

        Raises:
            ValueError: as ``read_scores``; a pair is missing there, or is of another kind; an image is the end of two paths:
                one line that counts such pairs and names the first.
        """
        found = read_scores(self.path)
        names = np.array(sorted({*found.left, *found.right}))
        ones, others = (rows_of_keys(names, keys).tolist() for keys in (left, right))
        rows = np.array([_row(found, names, *both) for both in zip(ones, others, strict=True)], np.int64)
        if len(bad := np.flatnonzero(rows < 0)):
            first = int(bad[0])
            unclear = [key for key, row in ((left[first], ones[first]), (right[first], others[first])) if row == AMBIGUOUS]
            todo = (
                f"two images of the file end with {unclear[0]}, so it does not tell which is meant: use keys of the dataset"
                if unclear
                else "each pair needs a line, in either order, by keys of the dataset or paths that end with them"
            )
            raise ValueError(
                f"{self.path}: {len(bad)} of {len(rows)} pairs of the protocol have no score, first {left[first]} and "
                f"{right[first]}; {todo}"
            )
        if found.same is not None and len(bad := np.flatnonzero(found.same[rows] != same)):
            row = int(rows[bad[0]])
            kinds = ("genuine", "an impostor pair") if same[bad[0]] else ("an impostor pair", "genuine")
            raise ValueError(
                f"{self.path}, line {row + 2}: the pair {found.left[row]} and {found.right[row]} is {kinds[1]}, and in the "
                f"protocol {kinds[0]} ({len(bad)} of {len(rows)} pairs differ)"
            )
        return found.score[rows]


def read_scores(path: Path) -> Scores:
    """The lines of a CSV file of scores.

    Raises:
        ValueError: it is missing, not a CSV file, lacks a column, has an invalid value, or has a pair twice; one line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    return _read(path, sha256(path))


@cache
def _read(path: Path, _: str) -> Scores:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file of scores ({' '.join(str(error).split())})") from error
    columns = [name.strip() for name in header]
    wanted = f"columns {', '.join(NEEDED)}, and same or {' and '.join(SUBJECTS)} if there are any"
    if not columns:
        raise ValueError(f"{path}: the file is empty; expected {wanted}")
    if missing := [name for name in NEEDED if name not in columns]:
        raise ValueError(f"{path}, line 1: no column {missing[0]!r}; found {shortened(columns)}; expected {wanted}")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}, line 1: a column stands twice in {shortened(columns)}; expected {wanted}")
    while lines and not lines[-1]:
        lines.pop()
    for number, values in enumerate(lines, 2):
        if len(values) != len(columns):
            raise ValueError(f"{path}, line {number}: {len(values)} values under {len(columns)} columns")
    if not lines:
        raise ValueError(f"{path}: no scores below the names of the columns")
    by_name = {name: [values[place].strip() for values in lines] for place, name in enumerate(columns)}
    same = _same(path, by_name)
    read = {*NEEDED, "same", *SUBJECTS}
    ignored = tuple(name for name in columns if name not in read)
    left, right = by_name["left"], by_name["right"]
    return Scores(left, right, _numbers(path, by_name["score"]), same, ignored, _lines(path, left, right))


def _lines(path: Path, left: Sequence[str], right: Sequence[str]) -> dict[tuple[str, str], int]:
    """The row of each pair."""
    found: dict[tuple[str, str], int] = {}
    twice: list[tuple[int, int]] = []
    for row, both in enumerate(zip(left, right, strict=True)):
        if (first := found.setdefault(_unordered(*both), row)) != row:
            twice.append((first, row))
    if twice:
        first, second = twice[0]
        raise ValueError(
            f"{path}, lines {first + 2} and {second + 2}: the pair {left[first]} and {right[first]} stands twice "
            f"({len(twice)} lines repeat a pair, in either order); leave one line for each"
        )
    return found


def _row(found: Scores, names: np.ndarray, one: int, other: int) -> int:
    """The row of the pair of two of the names; -1 if there is none, or if the images were not found (below 0)."""
    return -1 if min(one, other) < 0 else found.lines.get(_unordered(str(names[one]), str(names[other])), -1)


def _numbers(path: Path, texts: Sequence[str]) -> np.ndarray:
    found = np.empty(len(texts), np.float64)
    for row, text in enumerate(texts):
        try:
            found[row] = float(text)
        except ValueError:
            found[row] = np.nan
        if not np.isfinite(found[row]):
            raise ValueError(f"{path}, line {row + 2}: score {shortened(text)} is no finite number")
    return found


def _same(path: Path, by_name: dict[str, list[str]]) -> np.ndarray | None:
    """Whether the pairs are genuine, from ``same`` or from the subjects."""
    if "same" in by_name:
        for number, text in enumerate(by_name["same"], 2):
            if text.lower() not in KNOWN:
                raise ValueError(f"{path}, line {number}: same is {shortened(text)}; known are {', '.join(KNOWN)}")
        return np.array([KNOWN[text.lower()] for text in by_name["same"]])
    if all(name in by_name for name in SUBJECTS):
        left, right = (by_name[name] for name in SUBJECTS)
        return np.array([one == other for one, other in zip(left, right, strict=True)])
    return None


def _unordered(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)
