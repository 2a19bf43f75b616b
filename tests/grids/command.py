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


def nothing_launched(study: Path) -> None:
    left = {path.relative_to(study).parts[0] for path in study.rglob("*") if path.is_file()} if study.is_dir() else set()
    assert left <= {"lock", "store"}, left
    if (study / "store").is_dir():
        assert {path.name for path in (study / "store").iterdir()} <= {"scans"}
    assert not (study.parent / "mlflow.db").exists()
