"""The real entry point, and the small grid with one axis in a study of its own."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Run, Said
from small import write

from grid.ledger.study import Study
from grid.results.rows import table

AXES = {"rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}}}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``run("plan", file)``: the real entry point, in this process."""
    from grid.cli.main import main

    before = signal.getsignal(signal.SIGTERM)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["facegrid", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "studies/small"


@pytest.fixture
def grid(tmp_path: Path, study: Path) -> Callable[..., Path]:
    """``grid(axes=...)`` writes the small grid with one axis and such parts; ``base`` is merged."""

    def grid(base: dict[str, Any] | None = None, **parts: Any) -> Path:
        return write(tmp_path / "grid.yaml", base, **{"launch": {"study": str(study)}, "axes": AXES, **parts})

    return grid


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch in this process reads all that its report is made of, and draws nothing, which takes seconds."""
    from grid.execution import launch

    monkeypatch.setattr(launch, "build", light_report)


def light_report(study: Study, *more: Any) -> Path:
    """In place of ``grid.report.build.build``."""
    table(study)
    return study.path / "report/index.html"
