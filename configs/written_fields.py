"""The fields of facegrid's components, read from their source: importing a network imports torch, which takes seconds."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from configs.component import Config
from configs.lookup import PACKAGES, known

LIGHT = "configs."  # modules that import nothing heavy, so their classes can be asked
NO_FIELDS = ("abc.ABC", "typing.Generic")


class Unclear(Exception):
    """The source does not tell."""


@cache
def written_fields(kind: str, name: str) -> frozenset[str] | None:
    """The keys that a component accepts; None if its source does not tell, or there is no such component of facegrid's."""
    if name not in known(kind):
        return None
    module = f"{PACKAGES[kind]}.{name}"
    try:
        found = [node for node in _tree(module).body if isinstance(node, ast.ClassDef) and _named(node, name)]
        return frozenset(_fields(module, found[0].name)) if len(found) == 1 else None
    except Unclear:
        return None


@cache
def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module.rpartition(".")[0])
    for place in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(place, f"{module.rpartition('.')[2]}.py")
        if file.is_file():
            return ast.parse(file.read_text(encoding="utf-8"))
    raise Unclear(module)


def _named(node: ast.ClassDef, name: str) -> bool:
    """Whether the class is the config of that name: ``name: Literal["one_cycle"]``."""
    return any(target == "name" and ast.unparse(one.annotation) == f"Literal[{name!r}]" for target, one in _annotated(node))


def _annotated(node: ast.ClassDef) -> Iterator[tuple[str, ast.AnnAssign]]:
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            yield one.target.id, one


def _fields(module: str, name: str) -> set[str]:
    """The fields of a class and its bases.

    Raises:
        Unclear: something in the source may add or rename keys.
    """
    if module.startswith(LIGHT):
        found = getattr(importlib.import_module(module), name)
        if not (isinstance(found, type) and issubclass(found, Config)):
            raise Unclear(name)
        return set(found.model_fields)  # what its validators add to a mapping are fields, too
    node = next((one for one in _tree(module).body if isinstance(one, ast.ClassDef) and one.name == name), None)
    if node is None or node.decorator_list or node.keywords:
        raise Unclear(name)
    for part in ast.walk(node):
        renames = isinstance(part, ast.keyword) and part.arg in ("alias", "validation_alias")
        rewrites = isinstance(part, ast.Name) and part.id in ("model_config", "before_validator")
        if renames or rewrites or (isinstance(part, ast.Call) and _before(part)):
            raise Unclear(name)
    own = {
        target
        for target, one in _annotated(node)
        if not target.startswith("_") and not ast.unparse(one.annotation).startswith("ClassVar")
    }
    for base in node.bases:
        place = _place(module, base)
        if place not in NO_FIELDS:
            own |= _fields(*place.rsplit(".", 1))
    return own


def _before(call: ast.Call) -> bool:
    """Whether a call makes a validator that sees keys before pydantic does."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "model_validator"):
        return False
    return not any(isinstance(one.value, ast.Constant) and one.value.value == "after" for one in call.keywords)


def _place(module: str, base: ast.expr) -> str:
    """The dotted path of a base class."""
    if isinstance(base, ast.Subscript):  # Generic[Config]
        base = base.value
    if not isinstance(base, ast.Name):
        raise Unclear(ast.unparse(base))
    for one in _tree(module).body:
        if isinstance(one, ast.ClassDef) and one.name == base.id:
            return f"{module}.{base.id}"
        if isinstance(one, ast.ImportFrom) and one.module and not one.level:
            for alias in one.names:
                if (alias.asname or alias.name) == base.id:
                    return f"{one.module}.{alias.name}"
    raise Unclear(base.id)
