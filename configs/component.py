"""Base classes of all configs: immutable, with unknown keys refused, and with an identity.

The identity covers everything a result depends on. Every field is part of it, except:

* ``LOCATION``: a path or an address. The content counts instead. ``NAMING``: a title in reports.
* ``Born(value)``: the field was added later. At that value it is left out, so that existing identities do not change.

A change of behavior without a change of fields raises the class's ``version``.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator


@dataclass(frozen=True)
class Outside:
    """Marks a field that does not affect results; ``why`` gives the reason."""

    why: str


LOCATION = Outside("where something lies; its content counts instead")
NAMING = Outside("how reports call it")


@dataclass(frozen=True)
class Born:
    """Marks a field added after results existed; ``value`` is the value that those results had implicitly."""

    value: Any


@dataclass(frozen=True)
class Missing:
    """Something a component needs but cannot find: ``what`` is absent, and ``remedy`` says how to provide it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


class Config(BaseModel):
    """Base of every config: keyword-only and frozen; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )
    version: ClassVar[int] = 1

    @field_validator("*", mode="after")
    @classmethod
    def _absolute(cls, value: Any) -> Any:
        """Makes paths absolute on reading, because workers run in other folders."""
        return Path(os.path.abspath(os.path.expanduser(value))) if isinstance(value, Path) else value

    def identity(self) -> dict[str, Any]:
        """The JSON value that this config contributes to the identity of a result."""
        found: dict[str, Any] = {}
        for key, born in _counted(type(self)):
            value = getattr(self, key)
            if born is None or value != born.value:
                found[key] = _plain(value)
        if self.version != 1:
            found["version"] = self.version
        return found


class Component(Config):
    """A config chosen by name: ``lookup.py`` finds ``{name: arcface, margin: 0.5}`` among the components of its ``kind``."""

    kind: ClassVar[str] = ""
    name: str


class Labeled(Component):
    """A component that reports call by its label, or else by its name."""

    label: Annotated[str | None, NAMING] = None

    @property
    def title(self) -> str:
        return self.label or self.name


@cache
def _counted(kind: type[Config]) -> tuple[tuple[str, Born | None], ...]:
    """The fields of a class that count, each with its ``Born`` mark or None. Cached: a plan asks some 100,000 times."""
    found = []
    for key, field in kind.model_fields.items():
        if not any(isinstance(mark, Outside) for mark in field.metadata):
            found.append((key, next((mark for mark in field.metadata if isinstance(mark, Born)), None)))
    return tuple(found)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical(value: Any) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, ASCII only, no NaN."""
    return _encode(value)


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Config):
        return value.identity()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return value.as_posix()
    return value


_ATOMS = frozenset((str, int, float, bool, type(None)))
