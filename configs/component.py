"""The base of every Config: frozen, closed, and able to state its identity.

Identity is what a result depends on. A field counts unless it is marked:

* ``LOCATION``: where something lies (a path, an address). Content counts instead, see ``kinds.py``. ``NAMING``: a title.
* ``Born(value)``: the field was added later; at that value it is left out, so older identities survive.

A change of meaning without a change of fields bumps the class's ``version``.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator


@dataclass(frozen=True)
class Outside:
    """Marks a field that no result depends on; ``why`` says so."""

    why: str


LOCATION = Outside("where something lies; its content counts instead")
NAMING = Outside("how reports call it")


@dataclass(frozen=True)
class Born:
    """Marks a field added after results existed; ``value`` is what they all had."""

    value: Any


@dataclass(frozen=True)
class Missing:
    """Something a component needs and does not find: ``what`` is absent, ``remedy`` says what to do."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


class Config(BaseModel):
    """Base of every config: keyword-only, frozen, unknown keys refused, NaN and infinity refused."""

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
        """Paths are made absolute where they are read: workers run in other folders."""
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
    """A config chosen by name: ``{name: arcface, margin: 0.5}`` is found by ``lookup.py``, among those of its ``kind``."""

    kind: ClassVar[str] = ""
    name: str


@cache
def _counted(kind: type[Config]) -> tuple[tuple[str, Born | None], ...]:
    """The fields of a class that count, each with its birth value if it has one; a plan asks some 100,000 times."""
    found = []
    for key, field in kind.model_fields.items():
        if not any(isinstance(mark, Outside) for mark in field.metadata):
            found.append((key, next((mark for mark in field.metadata if isinstance(mark, Born)), None)))
    return tuple(found)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII only, no NaN."""
    return _encode(value)


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
