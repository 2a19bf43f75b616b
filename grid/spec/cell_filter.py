"""``--where axis=level,...``: selects cells for a command.

A name that contains a comma, an equals sign, a quote or surrounding blanks is written in double quotes, as in CSV:
``--where 'size="160,120",shape="4"" wide"'``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from grid.spec.grid_file import BadInput, check_level

_NAME = r'\s*(?:"((?:[^"]|"")*)"|([^",=]*?))\s*'
_PART = re.compile(rf"(?!\s*=){_NAME}={_NAME}(?:,|\Z)")
_PLAIN = re.compile(r'[^",=\s](?:[^",=]*[^",=\s])?')  # needs no quotes


def parse_cell_filter(texts: Iterable[str] | None, option: str = "--where") -> dict[str, list[str]]:
    """Axis -> the selected levels; ``option`` is named in messages.

    Raises:
        BadInput: a part is not ``axis=level``.
    """
    found: dict[str, list[str]] = {}
    for text in texts or []:
        place = 0
        while place < len(text) or not text:
            part = _PART.match(text, place)
            if part is None:
                raise BadInput(
                    f"{option} {text!r}: expected axis=level at {text[place:]!r}; write {option} "
                    "backbone=resnet34,detection=none, and a level with a comma, an equals sign or a quote in double quotes: "
                    f"{option} 'size=\"160,120\"'"
                )
            both = (part.group(1, 2), part.group(3, 4))
            axis, level = (plain if quoted is None else quoted.replace('""', '"') for quoted, plain in both)
            found.setdefault(axis, []).append(level)
            place = part.end()
    return found


def check_cell_filter(
    where: Mapping[str, Sequence[str]] | None, axes: Mapping[str, Sequence[str]], option: str = "--where"
) -> None:
    """Raises BadInput for an axis or a level that a study does not have; ``option`` begins the message."""
    for axis, levels in (where or {}).items():
        for level in levels:
            check_level(axis, level, axes, option)


def which(levels: Mapping[str, str]) -> str:
    """The ``--where`` option that selects the cell with these levels, quoted for a POSIX shell."""
    return "--where " + shlex.quote(",".join(f"{_quoted(axis)}={_quoted(level)}" for axis, level in levels.items()))


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'
