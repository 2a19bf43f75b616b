"""Pairs of manifest rows to compare."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images; four arrays of equal length.

    Attributes:
        left: int64, row of the manifest
        right: int64, row of the manifest
        same: bool, True for a genuine pair
        fold: int64, from 0

    Raises:
        ValueError: the arrays differ in length.
    """

    left: np.ndarray
    right: np.ndarray
    same: np.ndarray
    fold: np.ndarray

    def __post_init__(self) -> None:
        lengths = {array.shape for array in (self.left, self.right, self.same, self.fold)}
        if len(lengths) > 1 or self.left.ndim != 1:
            raise ValueError(f"pairs are four arrays of one length, found shapes {sorted(lengths)}")

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, bool, int]]) -> Pairs:
        """The pairs (left, right, same, fold), in their order."""
        columns = tuple(zip(*rows, strict=True)) or ((),) * 4
        return cls(
            *(np.array(column, kind) for column, kind in zip(columns, (np.int64, np.int64, bool, np.int64), strict=True))
        )

    def __len__(self) -> int:
        return len(self.left)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the four arrays in order."""
        total = hashlib.sha256()
        for array, kind in ((self.left, "<i8"), (self.right, "<i8"), (self.same, "?"), (self.fold, "<i8")):
            total.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return total.hexdigest()
