"""facegrid as a library and as a command.

``grid``, ``modules``, ``datamodules``, ``configs`` and ``cluster`` are facegrid's own packages. Their names are common, so
importing this module pins them to its own folder: packages of the same name in the working directory, in a notebook's folder or
on ``PYTHONPATH`` can neither replace nor break them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

OWN_PACKAGES = ("cluster", "configs", "datamodules", "grid", "modules")
ROOT = Path(__file__).resolve().parent


class OwnPackages:
    """Finds facegrid's packages next to this file, regardless of the order of ``sys.path``."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(ROOT)]) if name in OWN_PACKAGES else None


def pin_packages() -> None:
    """Puts ``OwnPackages`` first; Ray calls this in each worker before any facegrid module is imported.

    Raises:
        ImportError: a package of the same name was imported before.
    """
    for name in OWN_PACKAGES:
        places = getattr(sys.modules.get(name), "__path__", None)
        if name in sys.modules and str(ROOT / name) not in map(str, places or ()):
            where = next(iter(places or ()), getattr(sys.modules[name], "__file__", None))
            raise ImportError(
                f"facegrid has a package {name!r}, and another one is already imported from {where}: "
                "import facegrid first, or rename the other package"
            )
    if OwnPackages not in sys.meta_path:
        sys.meta_path.insert(0, OwnPackages)


pin_packages()


def main() -> None:
    """The ``facegrid`` command."""
    from grid.cli.main import main as run

    run()


_OBJECTS = {  # name -> module and attribute
    "Study": "grid.library.study:Study",
    "BadInput": "grid.spec.grid_file:BadInput",
    "Reference": "modules.attribution.explainer:Reference",
    "lookup": "configs.lookup:lookup",
    "read_grid": "grid.library.grids:read_grid",
    "plan": "grid.library.grids:plan",
    "overlay": "grid.library.explainers:overlay",
    "__version__": "grid.version:VERSION",
}
_KINDS = {  # namespace -> kind of component
    "losses": "loss", "heads": "head", "backbones": "backbone", "decoders": "decoder", "recipes": "recipe",
    "datasets": "data", "detectors": "detector", "alignments": "alignment", "augmentations": "augmentation",
    "protocols": "protocol", "explainers": "explainer",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Public names, imported lazily, so that ``import facegrid`` is fast."""
    if name in _KINDS:
        from grid.library.namespace import Namespace

        found: Any = Namespace(name, _KINDS[name])
    elif name == "metrics":
        from grid.library.metrics import Metrics

        found = Metrics()
    elif name in _OBJECTS:
        from importlib import import_module

        module, _, attribute = _OBJECTS[name].partition(":")
        found = getattr(import_module(module), attribute)
    else:
        raise AttributeError(f"module 'facegrid' has no attribute {name!r} (known: {', '.join(__dir__())})")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted((*_KINDS, *_OBJECTS, "metrics"))


if __name__ == "__main__":
    main()
