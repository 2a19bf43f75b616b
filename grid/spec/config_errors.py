"""Error messages about a config, in one line: where the key was written, what was found there, and what is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from configs.lookup import KINDS, lookup, nearest, shortened
from grid.secrets import masked_text
from grid.spec.sweeps import SWEEP
from grid.spec.yaml_source import YamlSource

SHOULD_BE = "Input should be "
PYTHON_TYPE = re.compile(r"a valid (dictionary|list|tuple)\b(?: or instance of \w+)?")
YAML = {"dictionary": "a mapping", "list": "a list", "tuple": "a list"}
TYPE = re.compile(r"bool|int|float|str|none|constrained-\w+|[\w-]+\[.*\]", re.DOTALL)  # as pydantic names the types of a union

KEY = re.compile(r"(\w+)(?:\.\w+)*")


@dataclass(frozen=True)
class KeyOrigins:
    """Where each key of a cell was written: in a level, in an override, or in the base."""

    yaml_source: YamlSource
    overrides: Mapping[str, str] = field(default_factory=dict)  # key -> the override as written
    levels: Mapping[str, str] = field(default_factory=dict)  # key -> its key in the file
    cell: str = ""  # its title, if there are several

    def at(self, key: str) -> str:
        """``file:line`` of a dotted key, or the override that set it."""
        parts = key.split(".")
        above = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
        below = [known for known in (*self.levels, *self.overrides) if known.startswith(f"{key}.")]
        for known in (*above, *below):
            if known in self.levels:
                return self.yaml_source.at(self.levels[known])
            if known in self.overrides:
                return f"{self.yaml_source.path}, override {shortened(self.overrides[known])}"
        return self.yaml_source.at(f"base.{key}", key, parts[0])


def explain(error: ValidationError, where: KeyOrigins, model: type[BaseModel], tree: Any) -> str:
    """One line for the first pydantic error: file, line, key, what was found, what is known.

    Args:
        model: the model that ``tree`` was validated against.
    """
    loc, first = _first(error)
    key = ".".join(part for part in loc if part != "[key]")
    if first["type"] == "extra_forbidden":
        prefix = "".join(f"{part}." for part in loc[:-1] if part != "[key]")
        return f"{where.at(key)}: unknown key {key!r}{nearest(loc[-1], _fields(model, tree, loc[:-1]), prefix)}"
    if first["type"] == "missing":
        return f"{where.at(key)}: key {key!r} is needed"
    said = _words(first)
    if key:
        return f"{where.at(key)}: {key}: {said}"
    named = KEY.match(said)  # keys that contradict each other: the message begins with the one to change
    at = where.at(named[0]) if named and named[1] in model.model_fields else where.yaml_source.path
    return f"{at}: cell {where.cell}: {said}" if where.cell else f"{at}: {said}"


def complaint(error: ValidationError, config: type[BaseModel]) -> str:
    """The same for a config that does not come from a file: key, what was found, what is known."""
    loc, first = _first(error)
    key = ".".join(loc)
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}" + (nearest(key, config.model_fields) if len(loc) == 1 else "")
    if first["type"] == "missing":
        return f"key {key!r} is needed"
    return f"{key}: {_words(first)}" if key else _words(first)


def _first(error: ValidationError) -> tuple[list[str], Any]:
    """The error to report, with its location. An unknown key comes first: it may be a misspelling of the missing one."""
    loc: list[str] = []
    while True:
        first: Any = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        first = _alternatives(first, error.errors())
        loc += [str(part) for part in first["loc"]]
        nested = first.get("ctx", {}).get("error")
        if not isinstance(nested, ValidationError):
            return loc, first
        error = nested  # an error raised by a component


def _alternatives(first: Any, errors: Sequence[Any]) -> Any:
    """One error for a value that is none of several types; pydantic gives one for each, with the type behind the key."""
    if not first["loc"]:
        return first  # of the whole config
    *key, last = first["loc"]
    others = [one for one in errors if one["loc"] and [*one["loc"][:-1]] == key and one["input"] is first["input"]]
    types = [one for one in others if TYPE.fullmatch(str(one["loc"][-1])) and one["msg"].startswith(SHOULD_BE)]
    if len(types) < 2 or not TYPE.fullmatch(str(last)):
        return first
    kinds = dict.fromkeys(one["msg"].removeprefix(SHOULD_BE).split(", unable")[0] for one in types)
    return {**first, "loc": tuple(key), "msg": f"{SHOULD_BE}{' or '.join(kinds)}"}


def _words(first: Any) -> str:
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
    else:
        said = PYTHON_TYPE.sub(lambda match: YAML[match[1]], first["msg"])
        message = f"{said[0].lower()}{said[1:]}; found {masked_text(shortened(first['input']))}"
    return " ".join(message.split())


def _fields(model: Any, tree: Any, loc: Sequence[str]) -> list[str]:
    """The keys allowed in the mapping at ``loc``."""
    for part in loc:
        tree = tree[int(part)] if part.isdigit() else tree.get(part, {})
        if part.isdigit() or part not in model.model_fields:
            continue  # ``protocols.0`` has the kind named by ``protocols``, ``targets.age`` is a target
        kind = {"protocols": "protocol", "explainers": "explainer", "scores": "score", "stages": "stage"}.get(part, part)
        if kind not in KINDS:
            model = _model_in(model.model_fields[part].annotation)
            continue
        items = tree if isinstance(tree, (list, tuple)) else [tree]
        number = next((int(one) for one in loc[loc.index(part) + 1 :] if one.isdigit()), 0) if items is tree else 0
        name = items[number] if isinstance(items[number], str) else items[number]["name"]
        model = lookup(kind, name)
    return [SWEEP if key == "sweep_point" else key for key in model.model_fields]


def _model_in(annotation: Any) -> Any:
    """The config class in ``tuple[Skip, ...]`` or ``Skip | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
