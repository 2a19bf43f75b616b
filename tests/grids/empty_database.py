"""An MLflow database that has its tables and no runs: MLflow takes seconds to make one."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

NAME = "mlflow.db"


@functools.cache
def _content() -> bytes:
    from grid.tracking.uri import connect

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        connect(f"sqlite:///{path}")
        return path.read_bytes()


def place(folder: Path) -> None:
    """Puts one into ``folder``, where the studies in it keep their runs, unless the folder is there already."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / NAME).write_bytes(_content())
