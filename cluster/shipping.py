"""Ships facegrid's code to the nodes of a cluster, so that workers run exactly the submitted code."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from configs.lookup import OWN

EXCLUDED = (
    ".git",
    ".venv",
    "studies",
    "tests",
    "docs",
    "*.db",
    "**/.env",  # passwords, see cluster/compose.yaml
    "**/__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
)
ROOT = Path(__file__).resolve().parent.parent  # the checkout, or the folder of installed packages


def working_dir(scratch: Path) -> dict[str, Any]:
    """The part of a Ray ``runtime_env`` that ships the code, at most 500 MiB.

    From a checkout, it is the checkout without environments and studies. Where facegrid is installed, it is a copy of
    facegrid's own packages: the other installed packages must be on the nodes.

    Args:
        scratch: an existing folder for that copy.
    """
    if _is_checkout(ROOT):
        return {"working_dir": str(ROOT), "excludes": list(EXCLUDED)}
    folder = scratch / "facegrid"
    folder.mkdir()
    shutil.copy(ROOT / "facegrid.py", folder)
    for name in OWN:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".env"))
    return {"working_dir": str(folder)}


def _is_checkout(folder: Path) -> bool:
    file = folder / "pyproject.toml"
    return file.is_file() and 'name = "facegrid"' in file.read_text(encoding="utf-8")
