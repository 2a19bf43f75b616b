"""A cell by its levels: how it is named, and whether a filter selects it."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def cell_title(levels: Mapping[str, str]) -> str:
    """How messages and tables name a cell: "backbone=resnet34, detection=none"."""
    return ", ".join(f"{axis}={level}" for axis, level in levels.items()) or "the only cell"


def selects(where: Mapping[str, Collection[str]] | None, levels: Mapping[str, str]) -> bool:
    """Whether the cell has, for each axis of the filter, one of the levels that it names; without a filter every cell has."""
    return all(levels.get(axis) in wanted for axis, wanted in (where or {}).items())
