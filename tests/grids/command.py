"""Runs the command line in this process and checks its output and side effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


def call(*arguments: object) -> str:
    """What a command prints that ends well."""
    from typer.testing import CliRunner

    from grid.cli.main import app

    found = CliRunner().invoke(app, [*map(str, arguments)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return str(found.stdout)


def nothing_launched(study: Path) -> None:
    left = {path.relative_to(study).parts[0] for path in study.rglob("*") if path.is_file()} if study.is_dir() else set()
    assert left <= {"lock", "store"}, left
    if (study / "store").is_dir():
        assert {path.name for path in (study / "store").iterdir()} <= {"scans"}
    assert not (study.parent / "mlflow.db").exists()
