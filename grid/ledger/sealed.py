"""JSON objects that contain a digest of their own content."""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Mapping
from typing import Any

from configs.component import canonical, digest


class Damaged(RuntimeError):
    """A stored object differs from what was written."""


def seal(value: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Serializes a JSON object, with the digest of its content under ``digest``."""
    sealed = {**value, "digest": digest(value)}
    text = canonical(sealed) if indent is None else json.dumps(sealed, indent=indent)
    return (text + "\n").encode("ascii")


def unseal(data: bytes | None, name: object, shared: bool = False) -> dict[str, Any]:
    """The value that was passed to ``seal``. Objects from versions that wrote no digest are accepted.

    Args:
        name: of the object, for the message
        shared: equal objects within it that contain no others are one object in memory, so they must not be changed. The
            settings of many cells need a fraction of the memory.

    Raises:
        Damaged: the object is absent, not JSON, or does not match its digest.
    """
    if data is None:
        raise Damaged(f"{name} is missing")
    try:
        value = json.loads(data, object_hook=_sharing() if shared else None)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{name} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise Damaged(f"{name} is not a JSON object")
    said = value.pop("digest", None)
    try:
        same = said is None or said == digest(value)
    except ValueError:  # for example, a number that is now infinite
        same = False
    if not same:
        raise Damaged(f"{name} was changed after it was written (its digest differs)")
    return value


def unsealed(data: bytes | None, name: object) -> dict[str, Any]:
    """Like ``unseal``, but empty if the object is absent or damaged."""
    try:
        return unseal(data, name)
    except Damaged:
        return {}


def _sharing() -> Callable[[dict[str, Any]], dict[str, Any]]:
    known: dict[bytes, dict[str, Any]] = {}

    def share(found: dict[str, Any]) -> dict[str, Any]:
        if any(isinstance(value, dict) for value in found.values()):
            return found
        try:
            return known.setdefault(marshal.dumps(found, 2), found)  # version 2: equal bytes of equal objects
        except ValueError:  # nested too deeply
            return found

    return share
