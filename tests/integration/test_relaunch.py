"""A launch with nothing to run makes neither the report nor the copy in MLflow again, until something has changed."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Run
from launching import facegrid

pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
def test_a_relaunch_makes_a_report_again_only_after_a_change(
    run: Run, grid: Callable[..., Path], study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = {"study": str(study), "resources": {"cpus": 1}}
    recipe = {"name": "one_cycle", "lr": 0.1, "epochs": 1}
    words = ("launch", grid(axes={}, explainers=[], launch=launch, base={"recipe": recipe}))
    monkeypatch.chdir(tmp_path)
    facegrid(tmp_path, *words)  # in a process of its own, which starts Ray; the others do not
    page, database = study / "report/index.html", study.parent / "mlflow.db"
    first, written = page.stat(), database.stat()
    assert "nothing had to run" in (again := run(*words)).out
    assert again.code == 0
    assert (page.stat().st_ino, database.stat().st_mtime_ns) == (first.st_ino, written.st_mtime_ns)

    with contextlib.closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("update runs set lifecycle_stage = 'deleted'")
    run(*words)
    with contextlib.closing(sqlite3.connect(database)) as opened:
        ((active,),) = opened.execute("select count(*) from runs where lifecycle_stage = 'active'")
    assert active == 2, "the runs of the cell and of the report that somebody deleted are there again"
    assert page.stat().st_ino == first.st_ino

    page.write_text("mine")
    run(*words)
    assert page.stat().st_ino != first.st_ino
    assert "<html" in page.read_text()
