"""facegrid as a library and as a command.

``grid``, ``modules``, ``datamodules``, ``configs`` and ``cluster`` are facegrid's own packages. Their names are common, so
importing this module pins them to where it lies: packages of the same name in the working directory, in a notebook's folder or
on ``PYTHONPATH`` can neither replace nor break them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

OWN_PACKAGES = ("cluster", "configs", "datamodules", "grid", "modules")
ROOT = Path(__file__).resolve().parent


class OwnPackages:
    """Finds facegrid's packages beside this file, whatever the order of ``sys.path`` is."""

    @classmethod
    def find_spec(cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(ROOT)]) if name in OWN_PACKAGES else None


def pin_packages() -> None:
    """Puts ``OwnPackages`` first; Ray calls this in each worker before anything of facegrid is imported.

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
    """The command ``facegrid``."""
    from grid.cli.main import main as run

    run()
