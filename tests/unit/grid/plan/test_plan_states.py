"""States of stages and cells, as the ledger gives them."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from small import SMALL, finish, finish_all, stages

from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.plan.table import plan_table
from grid.spec.grid_file import Grid

Make = Callable[..., Grid]
Refused = Callable[..., str]


# -- states


def test_everything_is_to_run_on_an_empty_ledger(make: Make) -> None:
    plan = make_plan(make())
    assert plan.counts() == {"run": 4}
    assert {stage.id for stage in plan.open} == {stage.id for stage in plan.stages}


def test_a_complete_grid_is_done_and_runs_nothing(make: Make) -> None:
    plan = finish_all(make())
    assert plan.counts() == {"done": 4}
    assert plan.open == []


def test_a_new_level_runs_its_own_cells(make: Make) -> None:
    finish_all(make())
    axes = {**SMALL["axes"], "rate": {**SMALL["axes"]["rate"], "top": {"recipe.lr": 0.5}}}
    plan = make_plan(make(axes=axes))
    assert plan.counts() == {"done": 4, "run": 2}
    assert sorted(stage.stage for stage in plan.open) == ["evaluate"] * 2 + ["explain"] * 2 + ["train"] * 2


def test_a_new_explainer_trains_nothing(make: Make) -> None:
    finish_all(make())
    plan = make_plan(
        make(explainers=[*SMALL["explainers"], {"name": "gradcam", "label": "shallow", "min_side": 8, "images": 2}])
    )
    assert plan.counts() == {"run": 4}
    assert {stage.label for stage in plan.open} == {"explain:shallow"}


def test_a_failed_stage_fails_its_cells_and_stops_what_needs_it(make: Make) -> None:
    grid = make()
    ledger = Ledger(store_of(grid))
    (detect,) = stages(make_plan(grid), "detect:data")
    ledger.begin("detect", detect.id, {}).fail("ValueError: no face", "", deterministic=True)
    plan = make_plan(grid)
    assert plan.counts() == {"run": 2, "failed": 2}
    assert {cell.reason for cell in plan.cells if cell.state == "failed"} == {"ValueError: no face"}
    mtcnn = {
        id for cell in plan.cells if cell.state == "failed" for label, id in cell.stages.items() if label != "detect:drawn"
    }
    assert not mtcnn & {stage.id for stage in plan.open}
    ledger.forgive("detect", detect.id)
    assert make_plan(grid).counts() == {"run": 4}


def test_other_sources_make_a_stage_stale(make: Make) -> None:
    grid = make(axes={})
    for stage in make_plan(grid).stages:
        finish(grid, stage, source="older" if stage.stage == "train" else None)
    plan = make_plan(grid)
    reason = "its code has changed since; --retry stale runs it again"
    assert (plan.cells[0].state, plan.cells[0].reason) == ("stale", reason)
    assert plan.open == []


@pytest.mark.parametrize("damage", ["output gone", "output cut", "marker cut"])
def test_a_damaged_stage_is_to_run_again(make: Make, damage: str) -> None:
    grid = make(axes={})
    plan = finish_all(grid)
    (train,) = stages(plan, "train")
    folder = store_of(grid) / "train" / train.id
    (output,) = folder.glob("0*/output")
    if damage == "output gone":
        output.unlink()
    elif damage == "output cut":
        output.write_text("x")
    else:
        (folder / "done-000.json").write_text("{")
    again = make_plan(grid)
    assert stages(again, "train")[0].state == "run"
    assert stages(again, "train")[0].reason
    assert again.counts() == {"run": 1}


def test_what_was_made_from_another_input_is_to_run_again(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    (train,) = stages(make_plan(grid), "train")
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train, "another model")
    plan = make_plan(grid)
    assert {stage.label: stage.state for stage in plan.stages} == {
        "train": "done", "evaluate:drawn": "run", "explain:gradcam": "run",
    }  # fmt: skip
    assert {stage.reason for stage in plan.open} == {"what it was computed from has changed"}


def test_what_is_made_again_alike_leaves_the_rest_alone(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    (train,) = stages(make_plan(grid), "train")
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train)
    assert make_plan(grid).counts() == {"done": 1}


def test_studies_share_stages_through_a_store(make: Make, tmp_path: Path) -> None:
    store = f"launch.store={tmp_path / 'shared'}"
    finish_all(make(store))
    axes = {**SMALL["axes"], "rate": {"high": {"recipe.lr": 0.2}}}
    other = make(store, f"launch.study={tmp_path / 'other'}", name="other", axes=axes)
    assert make_plan(other).counts() == {"done": 2}


def test_a_plan_that_is_renewed_is_the_plan_that_would_be_made_now(make: Make) -> None:
    grid = make()
    plan = make_plan(grid)
    for stage in plan.stages[:3]:
        finish(grid, stage)
    ledger = Ledger(store_of(grid))
    attempt = ledger.begin(plan.stages[3].stage, plan.stages[3].id, {})
    attempt.fail("broken", "", deterministic=True)
    assert plan.renewed() == make_plan(grid)
    assert {stage.state for stage in plan.stages} == {"run"}, "the old one has not changed"


def test_the_whole_plan_of_some_cells_has_them_all(make: Make) -> None:
    grid = make()
    some = make_plan(grid, {"rate": ["low"]})
    assert len(some.cells) < grid.size
    assert some.whole() == make_plan(grid)
    assert make_plan(grid).whole().cells == make_plan(grid).cells


def table_of(grid: Grid) -> str:
    """The printed plan."""
    console = Console(width=300, file=io.StringIO())
    plan = make_plan(grid)
    console.print(plan_table(plan, {"cells": {}}))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_plan_calls_changed_code_done_and_names_the_stages_and_the_cells(make: Make) -> None:
    grid = make()
    for stage in make_plan(grid).stages:
        finish(grid, stage, source="older" if stage.stage in ("train", "evaluate") else None)
    said = table_of(grid)
    assert "4 cells: 4 done (older code). A launch would run nothing." in said
    assert (
        "code changed since: train of 4 cells, evaluate:drawn of 4 cells; the results stay in use, and --retry stale computes "
        "them again" in said
    )
    assert "stale (" not in said


def test_a_plan_names_the_stages_that_run_again_and_why(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    (train,) = stages(make_plan(grid), "train")
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train, "another model")
    said = table_of(grid)
    why = "what it was computed from has changed"
    assert f"to run again: evaluate:drawn of 1 cell, explain:gradcam of 1 cell: {why}" in said
    assert "1 cell: 1 to run." in said
