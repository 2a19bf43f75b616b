"""Parses ``--methods``, ``--images`` and ``--pairs`` of ``facegrid explain`` into explainers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from configs.explainers import ExplainerConfig
from configs.lookup import known, lookup, resolve
from grid.spec.bounded_yaml import load_yaml
from grid.spec.config_errors import complaint
from grid.spec.grid_file import BadInput

Value = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """Which images or pairs to explain; all None: each method's default number.

    Attributes:
        images: their number, or their keys
        pairs: their number, or the keys of left and right, alternating
        protocol: title of the protocol that provides the pairs
        scores: scores of the maps: names, or values as in a grid file
    """

    images: int | tuple[str, ...] | None = None
    pairs: int | tuple[str, ...] | None = None
    protocol: str | None = None
    scores: tuple[Value, ...] = ()

    @classmethod
    def of(cls, images: str | None, pairs: str | None, protocol: str | None, scores: Sequence[str] = ()) -> Look:
        """Parses the command-line options.

        Raises:
            BadInput: both are given, a number is below 1, or a file cannot be used.
        """
        if images is not None and pairs is not None:
            raise BadInput("--images and --pairs: give one of them; single images and pairs are explanations of their own")
        if protocol is not None and pairs is None:
            raise BadInput(f"--protocol {protocol!r} says whose pairs are explained; give --pairs too")
        wanted = tuple(value for text in scores for value in _values("--scores", text))
        for value in wanted:
            try:
                resolve("score", value)
            except ValueError as error:
                raise BadInput(f"--scores: {' '.join(str(error).split())}") from error
        return cls(_asked("--images", images, _images), _asked("--pairs", pairs, _pairs), protocol, wanted)


def _asked(option: str, text: str | None, keys: Callable[[str], tuple[str, ...]]) -> int | tuple[str, ...] | None:
    """How many images or pairs, or which; None if the option is not given."""
    if text is None or not re.fullmatch(r"-?[0-9]+", text):
        return None if text is None else keys(text)
    if int(text) < 1:
        raise BadInput(f"{option} {text}: at least one is explained")
    return int(text)


def _images(text: str) -> tuple[str, ...]:
    if text.endswith(".txt"):
        return tuple(_lines("--images", text))
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> tuple[str, ...]:
    keys: list[str] = []
    for number, line in enumerate(_lines("--pairs", text), 1):
        both = [part.strip() for part in (line.split("\t") if "\t" in line else line.split())]
        if len(both) != 2:
            raise BadInput(f"{text}: pair {number} is {line!r}; write two keys a line, with a tab between them")
        keys += both
    return tuple(keys)


def _lines(option: str, file: str) -> list[str]:
    try:
        lines = [line.strip() for line in Path(file).read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{option} {file}: give a number or a text file of keys ({getattr(error, 'strerror', error)})"
        ) from error
    found = [line for line in lines if line]
    if not found:
        raise BadInput(f"{option} {file}: the file names no image")
    return found


def methods(texts: Sequence[str], look: Look) -> tuple[ExplainerConfig, ...]:
    """The explainers given by ``--methods``: comma-separated names, or values as in a grid file.

    Raises:
        BadInput: none is given, a name is unknown, or a key does not fit.
    """
    if not texts:
        raise BadInput(f"--methods: name what is to explain, such as gradcam,rise (known: {', '.join(known('explainer'))})")
    found = [_explainer(value, look) for text in texts for value in _values("--methods", text)]
    for place, one in enumerate(found):
        if one in found[:place]:
            raise BadInput(f"--methods: {one.title} stands twice")
    return tuple(found)


def _values(option: str, text: str) -> list[Value]:
    tip = "write names or YAML, such as gradcam,'{name: rise, masks: 500}'"
    values = load_yaml(f"[{text}]", lambda _, what: BadInput(f"{option} {text!r}: {what}; {tip}"))[0]
    made = [{"name": value} if isinstance(value, str) else value for value in values]
    for value in made:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise BadInput(f"{option} {text!r}: write names, or mappings with a name; found {value!r}")
    return made


def _explainer(value: Value, look: Look) -> ExplainerConfig:
    name = value["name"]
    try:
        kind: Any = lookup("explainer", name)
        return resolve("explainer", {**_looking(kind, name, look), **value})  # type: ignore[return-value]
    except ValidationError as error:
        raise BadInput(f"--methods {name}: {complaint(error, kind)}") from error
    except ValueError as error:
        raise BadInput(f"--methods: {error}") from error


def _looking(kind: Any, name: str, look: Look) -> Value:
    scored = {"scores": list(look.scores)} if look.scores else {}
    if look.pairs is not None:
        which = {**_chosen("pairs", look.pairs, 2), **scored}
        return which if look.protocol is None else {**which, "protocol": look.protocol}
    if look.images is not None:
        if kind.of == "pair":
            raise BadInput(f"--methods {name} looks at two images at a time; give --pairs in place of --images")
        return {**_chosen("images", look.images, 1), **scored}
    return scored


def _chosen(key: str, some: int | tuple[str, ...], keys: int) -> Value:
    return {key: some} if isinstance(some, int) else {key: len(some) // keys, "chosen": list(some)}
