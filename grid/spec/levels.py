"""The levels of a cell: its title, and whether a filter selects it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

REPLICATE = "replicate"  # the factor added by replicates


def cell_title(levels: Mapping[str, str]) -> str:
    """The title of a cell in messages and tables: "backbone=resnet34, detection=none"."""
    return ", ".join(f"{axis}={level}" for axis, level in levels.items()) or "the only cell"


def cells_title(owners: Sequence[Mapping[str, str]]) -> str:
    """The title of the cells that share a stage: what they have in common, and their number: "backbone=resnet34 (2 cells)"."""
    if len(owners) == 1:
        return cell_title(owners[0])
    common = {axis: level for axis, level in owners[0].items() if all(levels.get(axis) == level for levels in owners)}
    number = f"{len(owners)} cells"
    return f"{cell_title(common)} ({number})" if common else number


def selects(where: Mapping[str, Collection[str]] | None, levels: Mapping[str, str]) -> bool:
    """Whether, for each axis of the filter, the cell has one of the listed levels; without a filter, every cell matches."""
    return all(levels.get(axis) in wanted for axis, wanted in (where or {}).items())


def level_lists(where: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """A filter from Python with a list of levels for each axis; one level may stand alone: ``{"loss": "arcface"}``."""
    alone = (str, int, float)
    return {axis: [str(level) for level in ([one] if isinstance(one, alone) else one)] for axis, one in (where or {}).items()}


def other_levels(levels: Mapping[str, str], axis: str = REPLICATE) -> dict[str, str]:
    """The levels of all axes but one: but the replicate, if no axis is given."""
    return {name: level for name, level in levels.items() if name != axis}
