"""Finds components by name; the file name is the name in a grid file.

The explainer ``{name: gradcam}`` is the ``Config`` of ``modules/explainers/gradcam.py``; a dotted name is a module in the
user's own package. There is no registration: the files of the folder are the choices.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, SerializeAsAny

from configs.component import Component
from configs.shorthand import weighted_sum

PACKAGES = {
    "data": "datamodules.datasets",
    "detector": "datamodules.detectors",
    "alignment": "datamodules.alignments",
    "augmentation": "datamodules.augmentations",
    "batches": "datamodules.batches",
    "transform": "datamodules.transforms",
    "protocol": "datamodules.protocols",
    "backbone": "modules.backbones",
    "head": "modules.heads",
    "decoder": "modules.decoders",
    "loss": "modules.losses",
    "pretraining": "modules.pretraining",
    "recipe": "modules.recipes",
    "explainer": "modules.explainers",
    "score": "modules.explanation_metrics",
    "stage": "grid.stages.extra",
}
KINDS = tuple(PACKAGES)
_CALLED = {kind: kind for kind in KINDS} | {"data": "dataset"}  # in messages
OWN = ("cluster", "configs", "datamodules", "grid", "modules")  # this project's packages
SHOWN = 300  # characters of a value in an error message
LISTED = 100  # names in an error message
SHORTHANDS = {"loss": weighted_sum}  # kind -> function that expands a shorthand name


@cache
def known(kind: str) -> tuple[str, ...]:
    """The names available for ``kind``, sorted: the files of its folder."""
    spec = importlib.util.find_spec(PACKAGES[kind])
    assert spec is not None, f"no package {PACKAGES[kind]}"
    files = (file for place in spec.submodule_search_locations or () for file in Path(place).glob("*.py"))
    return tuple(sorted(file.stem for file in files if not file.stem.startswith("_")))


@cache
def lookup(kind: str, name: str) -> type[Component]:
    """The Config class of the component ``name`` of ``kind``.

    Raises:
        ValueError: there is no such component; lists the known names and the closest one.
    """
    if "." in name:
        return _own(kind, name)
    check_name(kind, name)
    found = config_classes(importlib.import_module(f"{PACKAGES[kind]}.{name}"), kind)
    assert len(found) == 1, f"{PACKAGES[kind]}.{name} has {len(found)} configs of kind {kind}"
    return found[0]


def check_name(kind: str, name: str) -> None:
    """Checks a name without importing anything; the user's own modules, with a dotted name, may be anywhere.

    Raises:
        ValueError: there is no such component.
    """
    if "." not in name and name not in known(kind):
        raise ValueError(f"unknown {_CALLED[kind]} {shortened(name)}{nearest(name, known(kind))}")


def config_classes(module: ModuleType, kind: str) -> list[type[Component]]:
    """The concrete Config classes of ``kind`` defined in a module itself; a component's module has exactly one."""
    return [found for found in _classes(module, kind) if not inspect.isabstract(found)]


def _classes(module: ModuleType, kind: str) -> Iterator[type[Component]]:
    own = (found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__)
    return (found for found in own if issubclass(found, Component) and found.kind == kind)


def _own(kind: str, name: str) -> type[Component]:
    if not all(part.isidentifier() for part in name.split(".")):
        choices = f" (known without a dot: {', '.join(known(kind))})" if known(kind) else ""
        raise ValueError(f"{_CALLED[kind]} {shortened(name)} is no dotted path of a module{choices}")
    try:
        module = importlib.import_module(name)
    except Exception as error:  # a user's module may raise anything
        raise ValueError(_not_imported(_CALLED[kind], name, error)) from error
    found = config_classes(module, kind)
    if not found and (lacking := _lacking(module, kind)):
        raise ValueError(f"{_CALLED[kind]} {name!r}: {lacking}; see docs/extending.md")
    if len(found) != 1:
        have = ", ".join(each.__name__ for each in found) or "none"
        raise ValueError(
            f"{_CALLED[kind]} {name!r}: the module must define exactly one Config class of kind {kind} (found: {have}); "
            "derive it from the base class of its kind in configs/data_interfaces.py, network_interfaces.py, explainers.py or "
            "staging.py"
        )
    return found[0]


def _lacking(module: ModuleType, kind: str) -> str:
    """The methods that the module's one config class of ``kind`` still has to define; empty if there is no such class."""
    for found in _classes(module, kind):
        if missing := sorted(found.__abstractmethods__):
            return f"class {found.__name__} lacks {' and '.join(missing)}, which every config of kind {kind} defines"
    return ""


def _not_imported(what: str, name: str, error: Exception) -> str:
    """The error message for a module that cannot be imported."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        return _absent(what, name, error)
    return f"{what} {name!r}: {_where(error)}"


def _absent(what: str, name: str, error: ModuleNotFoundError) -> str:
    """The error message for a module that does not exist, with what to do."""
    parent, _, last = name.rpartition(".")
    said = f"{what} {name!r}: there is no module {error.name}"
    head = name.partition(".")[0]
    if head in OWN:
        return said + (hidden_package(head) or f"; {head!r} is a package of facegrid itself")
    if error.name == name and parent:  # its package exists
        package = sys.modules.get(parent)
        if package is not None and not hasattr(package, "__path__"):
            return f"{said}: {parent}, {package.__file__}, is one file and no package; rename one of the two"
        files = pkgutil.iter_modules(package.__path__) if package is not None else ()
        near = difflib.get_close_matches(last, [file.name for file in files], n=1, cutoff=0.7)
        return f"{said}; did you mean {parent}.{near[0]}?" if near else f"{said} in the package {parent}"
    return (
        f"{said} where this command looks; install the package, or put the folder that contains {head}/ on PYTHONPATH, for "
        "instance with PYTHONPATH=. before the command"
    )


def hidden_package(head: str) -> str:
    """The end of an error message if a package or module ``head`` of the user's is hidden by facegrid's; else empty."""
    own = importlib.util.find_spec(head) if head in OWN else None
    if own is None:
        return ""
    ours = set(map(os.path.realpath, own.submodule_search_locations or ()))
    for place in (*sys.path, os.curdir):
        for found in (os.path.join(place or os.curdir, head), os.path.join(place or os.curdir, f"{head}.py")):
            if os.path.exists(found) and os.path.realpath(found) not in ours:
                what = "module" if found.endswith(".py") else "package"
                return f"; your {what} {os.path.abspath(found)} is hidden by facegrid's own package {head!r}: rename yours"
    return ""


def import_hint(error: BaseException) -> str:
    """The end of an error message for an ImportError about a package of the user's that facegrid's hides; otherwise empty."""
    name = error.name if isinstance(error, ImportError) else None
    return hidden_package(name.partition(".")[0]) if name else ""


def _where(error: BaseException) -> str:
    """An error in a user's module on one line, with the place in the code that raised it."""
    said = " ".join(str(error).split())
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename and frame.filename != __file__]
    place = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    return f"{place}{type(error).__name__}: {said}{import_hint(error)}"


def shortened(value: Any) -> str:
    """``repr`` of a user's value, truncated if very long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]} ... ({len(text):,} characters)"


def module_named(what: str, name: str, package: str) -> ModuleType:
    """The module ``name`` of one of facegrid's packages, or a user's own with a dotted name.

    Raises:
        ValueError: it cannot be imported; ``what`` names the kind of thing in the message.
    """
    path = name if "." in name else f"{package}.{name}"
    try:
        return importlib.import_module(path)
    except ImportError as error:
        if error.name == path != name and isinstance(error, ModuleNotFoundError):
            files = [file.name for file in pkgutil.iter_modules(importlib.import_module(package).__path__)]
            raise ValueError(f"unknown {what} {name!r}{nearest(name, files)}") from error
        raise ValueError(_not_imported(what, name, error)) from error


def nearest(name: str, names: Iterable[str], prefix: str = "") -> str:
    """The end of an error message: the closest name, after ``prefix``, and the known ones."""
    choices = sorted(names)
    near = difflib.get_close_matches(name[:SHOWN], choices, n=1)
    hint = f"; did you mean {prefix + near[0]!r}?" if near else ""
    more = f", and {len(choices) - LISTED} more" if len(choices) > LISTED else ""
    return f"{hint} (known: {', '.join(choices[:LISTED])}{more})"


def resolve(kind: str, value: Any) -> Component:
    """The Config described by ``value``, a name or a mapping with a name. Equal values return the same object."""
    if isinstance(value, Component):
        if value.kind != kind:
            raise ValueError(f"expected a component of kind {kind}, and {value.name} is of kind {value.kind}")
        return value
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        article = "an" if _CALLED[kind][0] in "aeiou" else "a"
        such = f"such as {{name: {known(kind)[0]}}}"
        raise ValueError(f"{article} {_CALLED[kind]} is a mapping with a name, {such}; found {shortened(value)}")
    if odd := [key for key in value if not isinstance(key, str)]:
        raise ValueError(f"keys of {_CALLED[kind]} {value['name']} are text; found {shortened(odd[0])}")
    if kind in SHORTHANDS:
        value = SHORTHANDS[kind](value)
    try:
        key = (kind, _text(value))
    except TypeError as error:  # keys that cannot be sorted, because they are texts and numbers
        raise ValueError(f"keys of {_CALLED[kind]} {value['name']} are text, also in its parts; quote numbers") from error
    if key not in _resolved:
        found = lookup(kind, value["name"])
        _check_name(found, kind, value["name"])
        _resolved[key] = found.model_validate(value)
    return _resolved[key]


def _check_name(config: type[Component], kind: str, name: str) -> None:
    """Raises ValueError if the module of a user's component gives itself another name than that of its file."""
    names = get_args(config.model_fields["name"].annotation)
    if names and name not in names:
        file = getattr(sys.modules[config.__module__], "__file__", config.__module__)
        raise ValueError(
            f"{_CALLED[kind]} {name!r}: in {file}, class {config.__name__} gives its name as {names[0]!r}; write "
            f'name: Literal["{name}"] = "{name}", the dotted path of the module'
        )


_text = json.JSONEncoder(sort_keys=True, default=repr).encode
_resolved: dict[tuple[str, str], Component] = {}  # configs are frozen; 10,000 cells share a few dozen of them


def component(kind: str) -> Any:
    """The type of a field that holds a component of ``kind``; dumps include the subclass's fields."""
    return Annotated[SerializeAsAny[Component], BeforeValidator(partial(resolve, kind))]
