"""The design of a grid: which combinations of levels are its cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from configs.component import Config
from configs.lookup import nearest
from grid.spec.fractional import MOST_AXES, Fraction, smallest, stated

Axes = Mapping[str, Sequence[str]]
NAMES = ("product", "zip", "one_at_a_time", "fractional")


class Design(Config):
    """``product``: every combination. ``zip``: the first levels of all axes, the second ones, and so on.

    ``one_at_a_time``: a base combination, and each axis changed alone (an ablation). ``fractional``: a regular fraction of axes
    with two levels, by ``generators`` or the smallest of a ``resolution``.
    """

    name: Literal["product", "zip", "one_at_a_time", "fractional"] = "product"
    base: dict[str, str] = Field(default_factory=dict)  # of one_at_a_time: axis -> level; others: their first
    resolution: int | None = Field(None, ge=3)  # of fractional: length of the shortest word of the defining relation
    generators: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # of fractional: axis -> axes whose product it is
    negligible: Literal["interactions"] | None = None  # of fractional: what the analysis assumes to be 0 where it is aliased

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``zip`` is short for ``{name: zip}``, and ``{fractional: {resolution: 4}}`` for ``{name: fractional, ...}``.

        Keys beside the short form come from overrides such as ``design.resolution=5``, and count.
        """
        if isinstance(value, str):
            return {"name": value}
        names = [key for key in value if key in NAMES] if isinstance(value, dict) else []
        if len(names) == 1 and "name" not in value and isinstance(settings := value[names[0]], dict | None):
            return {"name": names[0], **(settings or {}), **{key: one for key, one in value.items() if key != names[0]}}
        return value

    @field_validator("generators")
    @classmethod
    def _some_axes(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for axis, factors in value.items():
            if not factors:
                raise ValueError(f"{axis} needs the axes whose product it is, such as [a, b, c]")
        return value

    @model_validator(mode="after")
    def _own_keys(self) -> Design:
        owners = {"base": "one_at_a_time"} | dict.fromkeys(("resolution", "generators", "negligible"), "fractional")
        for key, owner in owners.items():
            if getattr(self, key) and self.name != owner:
                raise ValueError(f"{key} belongs to {owner}; found design {self.name}")
        if self.name == "fractional" and (self.resolution is None) == (not self.generators):
            raise ValueError("fractional needs either resolution, such as 4, or generators, such as {d: [a, b, c]}")
        return self

    def check(self, axes: Axes) -> None:
        """Raises ValueError if the axes do not suit the design."""
        if self.name == "zip" and len({len(levels) for levels in axes.values()}) > 1:
            counts = ", ".join(f"{axis} {len(levels)}" for axis, levels in axes.items())
            raise ValueError(f"zip pairs levels by position, so each axis needs as many as the others; found {counts}")
        for axis, level in self.base.items():
            if axis not in axes:
                raise ValueError(f"base: unknown axis {axis!r}{nearest(axis, axes)}")
            if level not in axes[axis]:
                raise ValueError(f"base: axis {axis!r} has no level {level!r}{nearest(level, axes[axis])}")
        if self.name == "fractional":
            self.fraction(axes)

    def fraction(self, axes: Axes) -> Fraction:
        """The fraction of a fractional design.

        Raises:
            ValueError: an axis has not two levels, there are too many axes, or the generators do not suit them.
        """
        for axis, levels in axes.items():
            if len(levels) != 2:
                raise ValueError(f"fractional designs have two levels per axis; axis {axis!r} has {len(levels)}; keep two")
        if len(axes) > MOST_AXES:
            raise ValueError(f"fractional designs have at most {MOST_AXES} axes; found {len(axes)}")
        if self.resolution is not None:
            return smallest(tuple(axes), self.resolution)
        return stated(tuple(axes), self.generators)

    def clear(self, axes: Axes) -> bool:
        """Whether the analysis can estimate main effects: none is fully aliased with an effect that may be there."""
        if self.name == "fractional":
            return self.negligible is not None or self.fraction(axes).resolution > 3
        return self.name != "zip"

    def size(self, axes: Axes) -> int:
        """The number of combinations, without making them."""
        counts = [len(levels) for levels in axes.values()]
        if self.name == "zip":
            return min(counts, default=1)
        if self.name == "one_at_a_time":
            return 1 + sum(count - 1 for count in counts)
        if self.name == "fractional":
            return self.fraction(axes).runs
        return math.prod(counts)

    def combinations(self, axes: Axes) -> Iterator[tuple[str, ...]]:
        """The level of each axis, for each combination, in file order."""
        if self.name == "product":
            yield from itertools.product(*axes.values())
        elif self.name == "zip":
            yield from zip(*axes.values(), strict=True) if axes else [()]
        elif self.name == "one_at_a_time":
            base = {axis: self.base.get(axis, levels[0]) for axis, levels in axes.items()}
            yield tuple(base.values())
            for axis, levels in axes.items():
                yield from (tuple({**base, axis: level}.values()) for level in levels if level != base[axis])
        else:
            for row in self.fraction(axes).rows():
                yield tuple(levels[place] for levels, place in zip(axes.values(), row, strict=True))

    def crosses(self, axis: str, levels: Sequence[str], axes: Axes) -> bool:
        """Whether some cells have all of these levels of an axis and differ in nothing else."""
        if self.name == "product" or axis not in axes:  # replicates repeat every combination
            return True
        place = list(axes).index(axis)
        groups: dict[tuple[str, ...], set[str]] = {}
        for chosen in self.combinations(axes):
            groups.setdefault((*chosen[:place], *chosen[place + 1 :]), set()).add(chosen[place])
        return any(set(levels) <= found for found in groups.values())
