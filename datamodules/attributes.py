"""What is known of the subject in each image beside the name: age, gender, race, as numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from configs.component import digest

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")  # FairFace's; 70 is in the last
STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
GENDERS = ("Male", "Female")
UNKNOWN = -1
OLDEST = 150  # years that are believed

Labels = tuple[tuple[str, ...], Sequence[int]]  # names of the classes, class of each image


@dataclass(frozen=True, eq=False)
class Attributes:
    """A table beside a manifest: row i is the manifest's row i.

    Attributes:
        classes: attribute -> names of its classes, such as {"gender": ("Male", "Female")}
        values: attribute -> int64 (N,), index into its classes; -1 where unknown
        years: int64 (N,), age in years, -1 where unknown; None where the dataset tells bands only

    Raises:
        ValueError: columns differ in length or name, or a value is no class.
    """

    classes: Mapping[str, tuple[str, ...]]
    values: Mapping[str, np.ndarray]
    years: np.ndarray | None = None

    def __post_init__(self) -> None:
        columns = [*self.values.values(), *([] if self.years is None else [self.years])]
        if set(self.classes) != set(self.values) or not self.classes:
            raise ValueError(
                f"attributes with classes ({', '.join(self.classes)}) and with values ({', '.join(self.values)}) differ"
            )
        if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
            raise ValueError(f"columns of attributes have one length, found shapes {[column.shape for column in columns]}")
        for name, column in self.values.items():
            bad = np.flatnonzero((column < UNKNOWN) | (column >= len(self.classes[name])))
            if len(bad):
                raise ValueError(f"attribute {name}: row {bad[0]} has class {column[bad[0]]} of {len(self.classes[name])}")

    @classmethod
    def of(cls, labels: Mapping[str, Labels], years: Sequence[int] | None = None) -> Attributes:
        """The table of the attributes' (names of classes, class of each image)."""
        return cls(
            classes={name: names for name, (names, _) in labels.items()},
            values={name: np.asarray(column, np.int64) for name, (_, column) in labels.items()},
            years=None if years is None else np.asarray(years, np.int64),
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.classes)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def counts(self, name: str) -> dict[str, int]:
        """How many images each class of an attribute has, in the classes' order.

        Raises:
            ValueError: there is no such attribute.
        """
        if name not in self.classes:
            raise ValueError(f"no attribute {name!r} (known: {', '.join(self.classes)})")
        found = np.bincount(self.values[name][self.values[name] >= 0], minlength=len(self.classes[name]))
        return dict(zip(self.classes[name], found.tolist(), strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of names, classes and values."""
        years = None if self.years is None else self.years.tolist()
        return digest([[name, self.classes[name], self.values[name].tolist()] for name in sorted(self.classes)] + [years])


def age_band(years: int) -> int:
    """Index into ``AGES`` of an age in years."""
    assert 0 <= years <= OLDEST, years
    return int(np.searchsorted(STARTS, years, side="right")) - 1


def age_labels(years: Sequence[int]) -> Labels:
    """The bands of ages in years."""
    return AGES, [age_band(one) for one in years]
