"""Ships this checkout to the nodes of a cluster, so that workers run exactly the submitted code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EXCLUDED = (
    ".git",
    ".venv",
    "studies",
    "tests",
    "docs",
    "*.db",
    "**/__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
)


def working_dir() -> dict[str, Any]:
    """The part of a Ray ``runtime_env`` that ships the checkout (at most 500 MiB, so environments and studies are excluded)."""
    return {"working_dir": str(Path(__file__).resolve().parent.parent), "excludes": list(EXCLUDED)}
