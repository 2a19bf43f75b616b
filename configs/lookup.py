"""File name = YAML name = registry.

``{name: gradcam}`` as an explainer is the ``Config`` of ``modules/explainers/gradcam.py``; a dotted name is a module of the
user's own package. Nothing registers itself: the folder is the list.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from configs.component import Component
from configs.shorthand import weighted_sum

PACKAGES = {
    "data": "datamodules.datasets",
    "detector": "datamodules.detectors",
    "alignment": "datamodules.alignments",
    "augmentation": "datamodules.augmentations",
    "batches": "datamodules.batches",
    "protocol": "datamodules.protocols",
    "backbone": "modules.backbones",
    "head": "modules.heads",
    "decoder": "modules.decoders",
    "loss": "modules.losses",
    "pretraining": "modules.pretraining",
    "recipe": "modules.recipes",
    "explainer": "modules.explainers",
    "score": "modules.scores",
}
SHOWN = 300  # characters of a value in a message
LISTED = 100  # names in a message
SHORTHANDS = {"loss": weighted_sum}  # kind -> what spells out a name that says more than a name


@cache
def known(kind: str) -> tuple[str, ...]:
    """The names that ``kind`` may have, sorted: the files of its folder."""
    spec = importlib.util.find_spec(PACKAGES[kind])
    assert spec is not None, f"no package {PACKAGES[kind]}"
    files = (file for place in spec.submodule_search_locations or () for file in Path(place).glob("*.py"))
    return tuple(sorted(file.stem for file in files if not file.stem.startswith("_")))


@cache
def lookup(kind: str, name: str) -> type[Component]:
    """The Config class of the component ``name`` of ``kind``.

    Raises:
        ValueError: nothing has that name; says what is known and what is nearest.
    """
    if "." in name:
        return _own(kind, name)
    if name not in known(kind):
        raise ValueError(f"unknown {kind} {shortened(name)}{nearest(name, known(kind))}")
    found: type[Component] = importlib.import_module(f"{PACKAGES[kind]}.{name}").Config
    assert found.kind == kind, f"{PACKAGES[kind]}.{name} is no {kind}"
    return found


def _own(kind: str, name: str) -> type[Component]:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(
            f"{kind} {shortened(name)} is no dotted path of a module (known without a dot: {', '.join(known(kind))})"
        )
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"{kind} {shortened(name)} is no module that can be imported here ({error})") from error
    found = getattr(module, "Config", None)
    if not (isinstance(found, type) and issubclass(found, Component) and found.kind == kind):
        raise ValueError(
            f"{kind} {name!r}: the module has no class Config of kind {kind}: it derives from the base class of its kind in "
            "configs/kinds.py or configs/explaining.py"
        )
    return found


def shortened(value: Any) -> str:
    """``repr`` of what a user wrote, cut where it would fill the screen."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]} ... ({len(text):,} characters)"


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message: what is near ``name``, and what is known."""
    choices = sorted(names)
    near = difflib.get_close_matches(name[:SHOWN], choices, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    more = f", and {len(choices) - LISTED} more" if len(choices) > LISTED else ""
    return f"{hint} (known: {', '.join(choices[:LISTED])}{more})"


def resolve(kind: str, value: Any) -> Component:
    """The Config that ``value`` describes: a name, or a mapping with a name. Equal values give one object."""
    if isinstance(value, Component):
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"a {kind} is a mapping with a name, such as {{name: {known(kind)[0]}}}; found {shortened(value)}")
    if odd := [key for key in value if not isinstance(key, str)]:
        raise ValueError(f"keys of {kind} {value['name']} are text; found {shortened(odd[0])}")
    if kind in SHORTHANDS:
        value = SHORTHANDS[kind](value)
    key = (kind, _text(value))
    if key not in _resolved:
        _resolved[key] = lookup(kind, value["name"]).model_validate(value)
    return _resolved[key]


_text = json.JSONEncoder(sort_keys=True, default=repr).encode
_resolved: dict[tuple[str, str], Component] = {}  # configs are frozen; a grid of 10,000 cells has some dozens of them


def component(kind: str) -> Any:
    """The type of a field that holds a component of ``kind``; dumps keep the subclass's fields."""
    return Annotated[SerializeAsAny[Component], BeforeValidator(partial(resolve, kind))]
