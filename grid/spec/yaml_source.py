"""A YAML file with line numbers for its keys, and dotted keys over nested mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from grid.spec.bounded_yaml import MAX_BYTES, load_yaml


@dataclass(frozen=True)
class YamlSource:
    """A file's value, and the line of each dotted key."""

    path: Path
    value: Any
    lines: Mapping[str, int] = field(default_factory=dict)

    def at(self, *keys: str) -> str:
        """``file:line`` of the first known key, or of its nearest parent."""
        for key in keys:
            parts = key.split(".")
            for end in range(len(parts), 0, -1):
                if (line := self.lines.get(".".join(parts[:end]))) and (end > 1 or end == len(parts)):
                    return f"{self.path}:{line}"
        return str(self.path)


def read_yaml(path: Path, error: Callable[[str], Exception]) -> YamlSource:
    """Reads a YAML file; ``error`` makes the exception for an unusable one.

    A file is unusable if it is absent, unreadable, not YAML, beyond the limits of ``bounded_yaml``, or has a duplicate key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)  # a limit, because the path may name any file
        text = content.decode("utf-8-sig")
    except FileNotFoundError as cause:
        near = sorted(str(file) for file in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        known = f"; there are {', '.join(near)}" if near else ""
        raise error(f"{path}: no such grid file{known}") from cause
    except UnicodeDecodeError as cause:
        if len(content) > MAX_BYTES:
            raise error(f"{path}: more than {MAX_BYTES:,} bytes; no grid file is that large") from cause
        raise error(f"{path}: cannot be read as UTF-8 text ({cause.reason} at byte {cause.start})") from cause
    except (OSError, ValueError) as cause:  # ValueError: a NUL byte in the path
        raise error(f"{path}: cannot be read ({getattr(cause, 'strerror', None) or cause})") from cause
    if len(content) > MAX_BYTES:
        raise error(f"{path}: more than {MAX_BYTES:,} bytes; no grid file is that large")
    value, root = load_yaml(text, lambda line, what: error(f"{path}:{line}: {what}" if line else f"{path}: {what}"))
    lines: dict[str, int] = {}
    if root is not None:
        _lines(root, "", lines, path, error)
    return YamlSource(path, value, lines)


def _lines(node: yaml.Node, prefix: str, lines: dict[str, int], path: Path, error: Callable[[str], Exception]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            if name in lines:
                raise error(f"{path}:{key.start_mark.line + 1}: key {name!r} stands twice, first at line {lines[name]}")
            lines[name] = key.start_mark.line + 1
            _lines(value, f"{name}.", lines, path, error)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[f"{prefix}{number}"] = item.start_mark.line + 1
            _lines(item, f"{prefix}{number}.", lines, path, error)


def get(tree: Any, key: str) -> Any:
    """The value at a dotted key, or None."""
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key whose value is no mapping, or an empty one, with its value."""
    if isinstance(tree, Mapping) and tree:
        for key, part in tree.items():
            yield from flat(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, tree


def deep_set(tree: Any, key: str, value: Any, error: Callable[[str], Exception]) -> Any:
    """A copy of ``tree`` with the dotted key set. Setting ``X.name`` resets X's other keys; list items are given by number."""
    head, _, rest = key.partition(".")
    if isinstance(tree, list):
        if not head.isdigit() or int(head) >= len(tree):
            raise error(f"{head!r} is no item of a list of {len(tree)}")
        items = list(tree)
        items[int(head)] = deep_set(items[int(head)], rest, value, error) if rest else value
        return items
    if not isinstance(tree, Mapping):
        tree = {"name": tree} if isinstance(tree, str) else {}  # `detector: mtcnn` is short for a mapping with a name
    if not rest:
        return {"name": value} if head == "name" else {**tree, head: value}
    return {**tree, head: deep_set(tree.get(head, {}), rest, value, error)}


def reach(key: str) -> str:
    """The part of a tree that setting a dotted key replaces: selecting a component resets its keys."""
    return key.removesuffix(".name")


def overlaps(one: str, other: str) -> bool:
    """Whether setting one dotted key can change the value of the other."""
    return reach(one) in _above(reach(other)) or reach(other) in _above(reach(one))


def clash(settings: Sequence[tuple[str, str, Any]]) -> tuple[int, int] | None:
    """The places of the first two settings by different owners of which one overwrites a part of the other.

    Args:
        settings: (owner, dotted key, value)
    """
    parts: dict[str, dict[str, int]] = {}  # key with a value in or below it -> owner -> place
    plain: dict[str, dict[str, int]] = {}  # the same of values that have no keys
    for place, (owner, key, value) in enumerate(settings):
        for leaf, part in flat(value, key):
            if isinstance(part, str):
                leaf = f"{reach(leaf)}.name"  # `detector: mtcnn` is short for a mapping with a name
            elif not isinstance(part, Mapping):
                plain.setdefault(leaf, {})[owner] = place
            for above in _above(leaf, reach(key)):
                parts.setdefault(above, {})[owner] = place
    for place, (owner, key, _) in enumerate(settings):
        whole = [plain.get(above, {}) for above in _above(reach(key))]
        for found in (parts.get(reach(key), {}), *whole):
            if others := [other for of, other in found.items() if of != owner]:
                return min(place, others[0]), max(place, others[0])
    return None


def _above(key: str, start: str = "") -> list[str]:
    """A dotted key and the keys that it is in, down from ``start``."""
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(start.count(".") + 1, len(parts) + 1)]
