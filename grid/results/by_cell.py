"""Groups what belongs to one cell of a table and has an equal key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")  # with the attribute ``row``


def grouped_by_cell(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """The groups in the order of their first items; the items of each keep their order."""
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault((id(item.row), key(item)), []).append(item)  # type: ignore[attr-defined]
    return list(groups.values())
