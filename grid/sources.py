"""A digest of the code that computes a stage: what the stage imports, and the components that its config names.

Documentation does not count, so a commit of comments makes nothing stale; nor does a new backbone that a cell does not use.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from configs.component import Component, Config

COUNTED = ("grid.stages", "modules", "datamodules")  # the ledger, the launcher and the report change no number


def source_digest(kind: str, configs: Iterable[Config]) -> str:
    """SHA-256 (hex) over the syntax of every first-party module that the stage ``kind`` with these configs runs."""
    roots = {f"grid.stages.{kind}", *(type(part).__module__ for config in configs for part in _components(config))}
    return _digest(frozenset(roots))


@cache
def _digest(roots: frozenset[str]) -> str:
    found: set[str] = set()
    waiting = sorted(roots)
    while waiting:
        module = waiting.pop()
        if module not in found and module.startswith(COUNTED):
            found.add(module)
            waiting.extend(_syntax(module)[1])
    text = "\n".join(f"{module} {_syntax(module)[0]}" for module in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _syntax(module: str) -> tuple[str, tuple[str, ...]]:
    """Digest of a module's syntax without docstrings, and the modules that it may import."""
    file = _file(module)
    if file is None:
        return "", ()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(name for name in sorted(imports) if _file(name))


@cache
def _file(module: str) -> Path | None:
    if not module.startswith(COUNTED):
        return None
    parent, _, name = module.rpartition(".")
    package = importlib.util.find_spec(parent or module)
    for place in (package.submodule_search_locations or ()) if package else ():
        for file in (Path(place, f"{name}.py"), Path(place, name, "__init__.py")):
            if parent and file.is_file():
                return file
    return None


def _components(value: Any) -> Iterable[Component]:
    if isinstance(value, Component):
        yield value
    if isinstance(value, Config):
        for key in type(value).model_fields:
            yield from _components(getattr(value, key))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _components(item)
