"""The version of facegrid and the packages that it requires: of an installation, or of a checkout that is not installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

VERSION = "0.1.0"  # also of the distribution, see pyproject.toml
PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def required_packages() -> list[str]:
    """The names of the distributions that this one requires, without those of extras; none if neither place says so."""
    try:
        lines = [line for line in requires("facegrid") or () if "extra ==" not in line]
    except PackageNotFoundError:
        lines = _of_checkout()
    return [match[0] for line in lines if (match := re.match(r"[\w.-]+", line))]


def _of_checkout() -> list[str]:
    import tomllib

    try:
        return list(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"])
    except OSError:
        return []
