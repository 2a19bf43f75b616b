"""An MLflow database that has its tables and no runs: MLflow takes seconds to make one, so all processes of a run share it."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from once import once

NAME = "mlflow.db"
FACTORY: list[pytest.TempPathFactory] = []  # that of this process, which tests/conftest.py appends


@functools.cache
def _content() -> bytes:
    return (once(FACTORY[0], "empty_database", _make) / NAME).read_bytes()


def _make(folder: Path) -> None:
    from grid.tracking.uri import connect

    connect(f"sqlite:///{folder / NAME}")


def place(folder: Path) -> None:
    """Puts one into ``folder``, where the studies in it keep their runs, unless the folder is there already."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / NAME).write_bytes(_content())
