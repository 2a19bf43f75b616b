"""``--where axis=level,...``: which cells a command means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from grid.spec import BadInput, check_level


def where_of(texts: Iterable[str] | None) -> dict[str, list[str]]:
    """Axis -> the levels that were named.

    Raises:
        BadInput: a part has no ``=``.
    """
    found: dict[str, list[str]] = {}
    for text in texts or []:
        for part in text.split(","):
            axis, sign, level = part.partition("=")
            if not sign:
                raise BadInput(f"--where {text!r}: write axis=level, such as --where backbone=resnet34,detection=none")
            found.setdefault(axis.strip(), []).append(level.strip())
    return found


def check_where(where: Mapping[str, Sequence[str]], axes: Mapping[str, Sequence[str]]) -> None:
    """Raises BadInput for an axis or a level that a study does not have."""
    for axis, levels in where.items():
        for level in levels:
            check_level(axis, level, axes, "--where")


def which(levels: Mapping[str, str]) -> str:
    """The ``--where`` that means the cell of these levels, to be pasted."""
    return "--where " + ",".join(f"{axis}={level}" for axis, level in levels.items())
