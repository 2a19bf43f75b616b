"""Image labels: a column of classes or numbers, one value per image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

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
        ordered: whether the classes have an order, such as age groups; affects which metrics are computed, not the labels

    Raises:
        ValueError: the values do not fit the type.
    """

    values: np.ndarray
    classes: tuple[str, ...] | None = None
    unit: str = ""
    ordered: bool = False

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
        listed = list(labels)
        names = tuple(sorted({label for label in listed if label is not None}) if classes is None else classes)
        place = {name: index for index, name in enumerate(names)}
        if wrong := [label for label in listed if label is not None and label not in place]:
            raise ValueError(f"unknown class {wrong[0]!r} (known: {', '.join(names)})")
        return cls(np.array([UNKNOWN if label is None else place[label] for label in listed], np.int64), names)

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

    def binned(self, edges: Sequence[float]) -> Column:
        """Classes of a column of numbers: class k has the values from ``edges[k]`` to below ``edges[k + 1]``, the last class
        all values from ``edges[-1]``.

        If the edges are integers, as for ages in completed years, the classes are called ``0-2``, ``3-9`` and ``10+``, else
        ``[0, 2.5)`` and ``2.5+``.

        Args:
            edges: the lowest value of each class, ascending; at least two

        Raises:
            ValueError: the column has classes already, or a value is below the first edge.
        """
        if self.classes is not None:
            raise ValueError(f"edges divide a column of numbers, and this one has the classes {', '.join(self.classes)}")
        low = np.flatnonzero(self.values < edges[0])
        if len(low):
            raise ValueError(
                f"{len(low)} of {len(self)} values are below the first edge {edges[0]:g}, such as {self.values[low[0]]:g}; "
                "start the edges at the smallest value"
            )
        whole = all(float(edge).is_integer() for edge in edges)
        names = [_name(start, stop, whole) for start, stop in pairwise(edges)]
        found = np.searchsorted(np.asarray(edges, np.float64), self.values, side="right") - 1
        classes = (*names, f"{edges[-1]:g}+")
        return Column(np.where(self.known, found, UNKNOWN).astype(np.int64), classes, ordered=True)

    def merged(self, groups: Mapping[str, Sequence[str]]) -> Column:
        """The column with some classes combined: ``{"Asian": ["East Asian", "Southeast Asian"]}``.

        A new class takes the place of the first of its classes; classes in no group stay as they are.

        Raises:
            ValueError: the column has numbers, a class is unknown or in two groups, or a new name is that of another class.
        """
        if self.classes is None:
            raise ValueError("merge combines classes, and this is a column of numbers; set edges")
        target: dict[str, str] = {}
        for name, members in groups.items():
            for one in members:
                if one not in self.classes:
                    raise ValueError(f"merge names the class {one!r} (known: {', '.join(self.classes)})")
                if one in target:
                    raise ValueError(f"merge puts the class {one!r} into both {target[one]!r} and {name!r}")
                target[one] = name
        if taken := [name for name in groups if name in self.classes and name not in target]:
            raise ValueError(f"merge calls a new class {taken[0]!r}, which is also the name of a class that stays as it is")
        names = tuple(dict.fromkeys(target.get(one, one) for one in self.classes))
        place = np.array([*(names.index(target.get(one, one)) for one in self.classes), UNKNOWN], np.int64)
        return Column(place[self.values], names, ordered=self.ordered)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of type, classes and values."""
        values = [None if not known else value for known, value in zip(self.known.tolist(), self.values.tolist(), strict=True)]
        return digest([self.classes, self.unit, values])


def _name(start: float, stop: float, whole: bool) -> str:
    """The name of the class from ``start`` to below ``stop``."""
    if not whole:
        return f"[{start:g}, {stop:g})"
    return f"{start:g}" if stop - start == 1 else f"{start:g}-{stop - 1:g}"
