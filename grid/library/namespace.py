"""``fg.losses`` and similar namespaces: the components in a folder, found by name on first use."""

from __future__ import annotations

import difflib
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any

from configs.lookup import PACKAGES, known, lookup
from grid.library.constructor import Constructor

CLASS = re.compile(r"^class (\w+?)(?:Dataset|Protocol)?Config\(", re.MULTILINE)


def plain(name: str) -> str:
    """A name without case and underscores, which are ignored: ``GradCAM``, ``gradcam`` and ``grad_cam`` are one name."""
    return name.replace("_", "").lower()


@cache
def titles(kind: str) -> dict[str, str]:
    """Title -> file name, for every component of ``kind``.

    Titles come from the Config classes, read from the sources: ``ArcFace`` from ``class ArcFaceConfig`` in ``arcface.py``.
    Nothing is imported for it.
    """
    found = {}
    for name in known(kind):
        spec = importlib.util.find_spec(f"{PACKAGES[kind]}.{name}")
        assert spec is not None, name
        classes = CLASS.findall(Path(str(spec.origin)).read_text(encoding="utf-8")) or [name]
        found[next((title for title in classes if plain(title) == plain(name)), classes[0])] = name
    return found


class Namespace:
    """The components of one kind. A new file in the folder is available immediately, and so is a dotted name by ``get``."""

    def __init__(self, name: str, kind: str) -> None:
        self.__name__, self._kind = name, kind
        self.__doc__ = f"Components of kind {kind}: {', '.join(self.__dir__())}."

    def __getattr__(self, name: str) -> Constructor:
        if name.startswith("__"):
            raise AttributeError(name)
        for title, file in titles(self._kind).items():
            if plain(name) in (plain(title), plain(file)):
                return _constructor(self._kind, file, title)
        names = {plain(title): title for title in self.__dir__()}
        near = difflib.get_close_matches(plain(name), names, n=1)
        hint = f"; did you mean {names[near[0]]}?" if near else ""
        raise AttributeError(f"facegrid.{self.__name__} has no {name!r}{hint} (known: {', '.join(self.__dir__())})")

    def get(self, name: str) -> Constructor:
        """The component with that name; a dotted name is a module of your own, as in a grid file."""
        return _constructor(self._kind, name, name.rpartition(".")[2]) if "." in name else getattr(self, name)

    def __dir__(self) -> list[str]:
        return sorted(titles(self._kind))

    def __repr__(self) -> str:
        return f"<facegrid.{self.__name__}: {', '.join(self.__dir__())}>"


@cache
def _constructor(kind: str, name: str, title: str) -> Constructor:
    if kind == "data":
        from grid.library.datasets import TAKES, opened

        return Constructor(kind, name, title, opened, TAKES)
    if kind == "explainer":
        from grid.library.explainers import ModuleExplainer, ModulePairExplainer

        config: Any = lookup(kind, name)
        return Constructor(kind, name, title, ModulePairExplainer if config.of == "pair" else ModuleExplainer, ())
    return Constructor(kind, name, title)
