"""Parses the datasets and other components given to the `data` commands: ``key=value`` texts, or YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from configs.lookup import known, lookup, nearest, resolve
from grid.spec.bounded_yaml import load_yaml
from grid.spec.config_errors import complaint
from grid.spec.grid_file import BadInput


def dataset(name: str, settings: Sequence[str], **values: Any) -> Any:
    """The config of a dataset from ``key=value`` texts; ``values`` are defaults.

    A value is YAML; a path is taken literally, so that a folder may be called ``2024`` or ``a #1``.

    Raises:
        BadInput: no such dataset, or wrong settings.
    """
    if name not in known("data"):
        raise BadInput(f"no dataset {name!r}{nearest(name, known('data'))}")
    return _set("data", "dataset", name, settings, values)


def protocol_of(name: str, settings: Sequence[str]) -> Any:
    """The config of a protocol, such as ``sllfw``, from texts like those of ``dataset``; same errors."""
    return _set("protocol", "protocol", name, settings, {})


def _set(kind: str, word: str, name: str, settings: Sequence[str], values: dict[str, Any]) -> Any:
    fields = lookup(kind, name).model_fields
    given: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign or not key or not text:
            raise BadInput(f"{setting!r}: write key=value, such as root=data/{name}")
        if key in given:
            raise BadInput(f"{setting!r}: {key} is given twice")
        given[key] = (
            text if key in fields and _is_path(fields[key].annotation) and text[0] not in "'\"" else _value(setting, text)
        )
    return _made(kind, {"name": name, **values, **given}, f"{word} {name}")


def component(kind: str, text: str) -> Any:
    """A component from YAML: a name, or a mapping with a name.

    Raises:
        BadInput: it is not YAML, there is no such component, or its fields are wrong.
    """
    where = f"{kind} {text!r}"
    return _made(kind, _value(where, text), where)


def _value(where: str, text: str) -> Any:
    return load_yaml(text, lambda _, what: BadInput(f"{where}: {what}"))[0]


def _made(kind: str, value: Any, where: str) -> Any:
    try:
        return resolve(kind, value)
    except ValidationError as error:
        config = lookup(kind, value if isinstance(value, str) else value["name"])
        words, needs = complaint(error, config), getattr(config, "needs", "")
        tip = f"; it needs {needs}" if words == "key 'root' is needed" and "root" in needs else ""
        raise BadInput(f"{where}: {words}{tip}") from error
    except ValueError as error:
        raise BadInput(f"{where}: {' '.join(str(error).split())}") from error


def _is_path(annotation: Any) -> bool:
    return annotation is Path or Path in get_args(annotation)
