"""The real entry point, the small grid with one axis in a study of its own, and studies without any training."""

import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Run, Said
from small import write

from grid.ledger.study import Study

INVENTED = Path(__file__).resolve().parents[1] / "unit" / "grid" / "conftest.py"
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


@pytest.fixture(scope="session")
def build_study() -> Callable[..., Study]:
    """The builder of invented studies that the unit tests use."""
    spec = importlib.util.spec_from_file_location("invented", INVENTED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_study  # type: ignore[no-any-return]
