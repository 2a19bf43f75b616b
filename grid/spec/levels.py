"""The levels of a cell: its title, and whether a filter selects it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

REPLICATE = "replicate"  # the factor added by replicates


def cell_title(levels: Mapping[str, str]) -> str:
    """The title of a cell in messages and tables: "backbone=resnet34, detection=none"."""
    return ", ".join(f"{axis}={level}" for axis, level in levels.items()) or "the only cell"


def selects(where: Mapping[str, Collection[str]] | None, levels: Mapping[str, str]) -> bool:
    """Whether, for each axis of the filter, the cell has one of the listed levels; without a filter, every cell matches."""
    return all(levels.get(axis) in wanted for axis, wanted in (where or {}).items())


def other_levels(levels: Mapping[str, str], axis: str = REPLICATE) -> dict[str, str]:
    """The levels of all axes but one: but the replicate, if no axis is given."""
    return {name: level for name, level in levels.items() if name != axis}
