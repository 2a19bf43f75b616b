"""Images with attribute labels: the input of the evaluation task ``attributes``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from configs.component import digest
from datamodules.columns import Column


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """N images and all columns of their dataset.

    Attributes:
        rows: int64 (N,), ascending: rows of the manifest
        columns: by name, each of length N
        subjects: int64 (N,), equal numbers for images of the same subject; None if the dataset names no subjects
    """

    rows: np.ndarray
    columns: Mapping[str, Column]
    subjects: np.ndarray | None

    def __post_init__(self) -> None:
        assert (np.diff(self.rows) > 0).all(), "rows are ascending"
        assert all(len(column) == len(self.rows) for column in self.columns.values()), "one label per image"

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of rows and labels."""
        return digest([self.rows.tolist(), {name: column.digest for name, column in sorted(self.columns.items())}])
