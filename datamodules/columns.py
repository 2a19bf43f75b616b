"""Image labels: a named column of classes or numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from configs.component import digest

UNKNOWN = -1  # instead of a class index


@dataclass(frozen=True, eq=False)
class Column:
    """One value per image, in the manifest's order.

    Attributes:
        values: int64 (N,), index into ``classes``, -1 if unknown; or float64 (N,), NaN if unknown
        classes: names of the classes; None if the values are numbers
        unit: of numbers, such as "years"

    Raises:
        ValueError: the values do not fit the type.
    """

    values: np.ndarray
    classes: tuple[str, ...] | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        wanted = np.float64 if self.classes is None else np.int64
        if self.values.ndim != 1 or self.values.dtype != wanted:
            raise ValueError(
                f"a column of {'numbers' if self.classes is None else 'classes'} is {np.dtype(wanted)} (N,), found "
                f"{self.values.dtype} {self.values.shape}"
            )
        if self.classes is None:
            if np.isinf(self.values).any():
                raise ValueError("a column of numbers holds finite numbers, and NaN where unknown; found infinity")
            return
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise ValueError(f"the classes of a column have names of their own, found {', '.join(self.classes) or 'none'}")
        bad = np.flatnonzero((self.values < UNKNOWN) | (self.values >= len(self.classes)))
        if len(bad):
            raise ValueError(f"row {bad[0]} has class {self.values[bad[0]]} of {len(self.classes)}")

    @classmethod
    def categorical(cls, labels: Iterable[str | None], classes: Sequence[str] | None = None) -> Column:
        """A column of class names; None means unknown.

        Args:
            labels: the class name of each image
            classes: their order; None: sorted by name

        Raises:
            ValueError: a label is not in ``classes``.
        """
        told = list(labels)
        names = tuple(sorted({label for label in told if label is not None}) if classes is None else classes)
        place = {name: index for index, name in enumerate(names)}
        if wrong := [label for label in told if label is not None and label not in place]:
            raise ValueError(f"unknown class {wrong[0]!r} (known: {', '.join(names)})")
        return cls(np.array([UNKNOWN if label is None else place[label] for label in told], np.int64), names)

    @classmethod
    def number(cls, values: Iterable[float | None], unit: str = "") -> Column:
        """A column of numbers; None means unknown."""
        return cls(np.array([np.nan if value is None else value for value in values], np.float64), None, unit)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def known(self) -> np.ndarray:
        """bool (N,): True if the image's value is known."""
        return np.isfinite(self.values) if self.classes is None else self.values >= 0

    def counts(self) -> dict[str, int]:
        """The number of images of each class, in the order of the classes."""
        assert self.classes is not None, "a column of numbers has no classes"
        found = np.bincount(self.values[self.known], minlength=len(self.classes))
        return dict(zip(self.classes, found.tolist(), strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of type, classes and values."""
        values = [None if not known else value for known, value in zip(self.known.tolist(), self.values.tolist(), strict=True)]
        return digest([self.classes, self.unit, values])
