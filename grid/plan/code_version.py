"""A digest of the code that computes a stage: the modules that the stage imports and the components named in its config.

Documentation is excluded, so a commit that changes only comments makes nothing stale; nor does a new backbone that a cell does
not use.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, get_args

from configs.component import Component, Config
from grid.spec.stage_kind import stage_kind

FIRST_PARTY = ("grid.", "modules.", "datamodules.", "configs.")
DESCRIPTIONS = ("StageKind", "EvaluationTask")  # subclasses only plan and display results
UNCOUNTED = ("grid.stages.kinds.", "grid.evaluation.task")  # these modules do not count either
COUNTED = ("grid.stages.", "grid.evaluation.", "modules.", "datamodules.")  # ledger, launcher and report affect no results


def source_digest(kind: str, configs: Iterable[Config]) -> str:
    """SHA-256 (hex) over the syntax of every module that the stage ``kind`` runs with these configs.

    Covers modules of this project and modules of the user's packages that a config names.
    """
    configs = list(configs)
    roots = {*stage_kind(kind).sources(configs), *(type(part).__module__ for config in configs for part in _components(config))}
    return _digest(frozenset(roots))


@cache
def _digest(roots: frozenset[str]) -> str:
    own = {f"{root.partition('.')[0]}." for root in roots if not root.startswith(FIRST_PARTY)}  # the user's packages
    counted = (*COUNTED, *own)
    found: dict[str, str] = {}
    waiting = sorted(roots)
    while waiting:
        module = waiting.pop()
        counts = module not in found and module.startswith(counted) and not module.startswith(UNCOUNTED)
        if counts and (file := _file(module)):
            digest, imports = _syntax(file)
            found[module] = digest
            waiting.extend(imports)
    text = "\n".join(f"{module} {digest}" for module, digest in sorted(found.items()))
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _syntax(file: Path) -> tuple[str, tuple[str, ...]]:
    """Digest of a module's syntax without documentation, and the names that it imports, some of which are modules."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _describes(node)]
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(sorted(imports))


def _describes(node: ast.AST) -> bool:
    """Whether a class only describes results and computes none of them."""
    return isinstance(node, ast.ClassDef) and any(isinstance(one, ast.Name) and one.id in DESCRIPTIONS for one in node.bases)


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a bare string: a docstring, or documentation of the line above it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _file(module: str) -> Path | None:
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
        for key in _nests(type(value)):
            yield from _components(getattr(value, key))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _components(item)


@cache
def _nests(kind: type[Config]) -> tuple[str, ...]:
    """The fields of a class that may hold configs; cached, because a plan of 10,000 cells calls it some 100,000 times."""
    return tuple(key for key, field in kind.model_fields.items() if _may_hold(field.annotation))


def _may_hold(annotation: Any) -> bool:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation is object or issubclass(annotation, Config)
    return annotation is Any or any(_may_hold(one) for one in get_args(annotation))
