"""The version and the requirements are the same for an installation and for a checkout."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import facegrid
from grid import version


def absent(name: str) -> Any:
    raise PackageNotFoundError(name)


def test_the_distribution_has_the_version_of_the_code() -> None:
    assert facegrid.__version__ == version.VERSION == metadata.version("facegrid")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version.VERSION)


def test_a_checkout_requires_what_the_distribution_does(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = version.required_packages()
    assert {"torch", "ray", "numpy"} <= set(installed)
    assert not {"pytest", "moto"} & set(installed), "of extras"
    monkeypatch.setattr(version, "requires", absent)
    assert sorted(version.required_packages()) == sorted(installed)


def test_without_both_nothing_is_known_to_be_required(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(version, "requires", absent)
    monkeypatch.setattr(version, "PROJECT", tmp_path / "pyproject.toml")
    assert version.required_packages() == []


def test_the_project_reads_its_version_from_the_code() -> None:
    project = tomllib.loads(version.PROJECT.read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert version.PROJECT.parent / project["tool"]["hatch"]["version"]["path"] == Path(version.__file__)
