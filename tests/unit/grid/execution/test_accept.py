"""`facegrid accept`: stale results of some cells count as done, and plan, status and report say why."""

from __future__ import annotations

import getpass
import io
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from small import finish

from grid.execution.accept import accept_stale
from grid.ledger.study import Study
from grid.plan.plan import make_plan
from grid.plan.study_record import write_plan
from grid.plan.table import accepted
from grid.report.markdown import markdown
from grid.results.rows import table
from grid.results.status import show, status
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]


@pytest.fixture
def grid(make: Make, tmp_path: Path) -> Grid:
    """Four finished cells whose trainings ran under other code."""
    grid = make()
    for stage in make_plan(grid).stages:
        finish(grid, stage, source="older" if stage.stage == "train" else None)
    write_plan(make_plan(grid), grid)
    return grid


def test_only_the_chosen_cells_are_accepted_and_the_others_stay_stale(grid: Grid) -> None:
    study = make_plan(grid).study
    assert make_plan(grid).counts() == {"stale": 4}
    plan, stages = accept_stale(Study(study), {"rate": ["low"]}, "see  commit\nabc, token http://me:secret@host/")
    assert {stage.label for stage in stages} == {"train"}
    assert len(stages) == 2
    assert plan.counts() == {"done": 2}
    after = make_plan(grid)
    assert {cell.levels["rate"]: cell.state for cell in after.cells} == {"low": "done", "high": "stale"}
    (line,) = accepted(after)
    assert line.startswith("accepted although the code has changed since: train of 2 cells: see commit abc, token ")
    assert f"({getpass.getuser()}@{socket.gethostname()}, 20" in line
    assert "secret" not in line
    assert accept_stale(Study(study), {"rate": ["low"]}, "again")[1] == []


def test_status_and_report_show_the_reason(grid: Grid) -> None:
    accept_stale(Study(make_plan(grid).study), None, "only a comment in C++")
    study = Study(make_plan(grid).study)
    (line,) = status(study)["accepted"]
    assert "train of 4 cells: only a comment in C++" in line
    console = Console(file=io.StringIO(), width=300)
    console.print(show(study))
    assert line in " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
    assert table(study).accepted == (line,)
    assert f"{line[0].upper()}{line[1:20]}" in markdown(table(study), "small")


def test_the_command_prints_what_it_accepted_and_wants_a_reason(grid: Grid, capsys: pytest.CaptureFixture[str]) -> None:
    from grid.cli.main import app

    study = str(make_plan(grid).study)
    with pytest.raises(BadInput, match="--because: a reason is needed"):
        app(["accept", study, "--because", " "], standalone_mode=False)
    app(["accept", study, "--because", "a name", "--where", "rate=low,detection=none", "--json"], standalone_mode=False)
    (row,) = json.loads(capsys.readouterr().out)["accepted"]
    assert row["label"] == "train"
    app(["accept", study, "--because", "a name"], standalone_mode=False)
    said = capsys.readouterr().out
    assert said.startswith("3 stale stages accepted")
    assert "train of 4 cells" in said.replace("\n", " ")
