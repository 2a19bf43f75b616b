"""References in a grid file: ``${data.root}`` stands for the value that the cell has there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from grid.spec.bounded_yaml import MAX_DEPTH, MAX_TEXT, MAX_VALUES
from grid.spec.yaml_source import get

REFERENCE = re.compile(r"\$\{([^{}]+)\}")  # ${data.root}


class References:
    """Replaces references by the cell's values, also in these values; the expansion is limited like that of YAML aliases.

    ``refuse`` makes the exception for an invalid reference, from its key in the cell and the message.
    """

    def __init__(self, tree: Mapping[str, Any], refuse: Callable[[str, str], Exception]) -> None:
        self.tree, self.refuse = tree, refuse
        self.added = 0  # number of values added
        self.within: list[str] = []  # the keys whose values are being replaced, outermost first

    def replace(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.replace(item, f"{key}.{name}" if key else str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.replace(item, f"{key}.{number}") for number, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self._find(whole, key)
        text = REFERENCE.sub(lambda reference: str(self._find(reference, key)), value)
        if len(text) > MAX_TEXT:
            raise self.refuse(key, f"{len(text):,} characters after ${{...}}; at most {MAX_TEXT:,} are read")
        return text

    def _find(self, reference: re.Match[str], key: str) -> Any:
        found = get(self.tree, reference[1])
        if found is None:
            raise self.refuse(key, f"{reference[0]} refers to a key that no base, level or override sets")
        if reference[1] in self.within:
            raise self.refuse(key, f"{reference[0]} refers to itself ({' -> '.join([*self.within, reference[1]])})")
        if len(self.within) == MAX_DEPTH:
            raise self.refuse(key, f"${{...}} references refer to each other over more than {MAX_DEPTH} keys")
        self.added += _size(found)
        if self.added > MAX_VALUES:
            raise self.refuse(key, f"${{...}} references make more than {MAX_VALUES:,} values")
        self.within.append(reference[1])
        value = self.replace(found, key)
        self.within.pop()
        return value


def _size(tree: Any) -> int:
    if isinstance(tree, (dict, list)):
        return 1 + sum(map(_size, tree.values() if isinstance(tree, dict) else tree))
    return 1
