"""Trials in MLflow: one child of the cell's run for each, kept apart from the runs of cells."""

from pathlib import Path
from typing import Any

import empty_database
import pytest
from mlflow_runs import history, runs, thorough
from searched import LOSSES, searched_study

from grid.ledger.study import Study
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of


@pytest.fixture
def study(tmp_path: Path) -> Any:
    def make(trainings: int = 6) -> Study:
        empty_database.place(tmp_path / "studies")
        return searched_study(tmp_path / "studies", trainings)

    return make


def children(study: Study) -> dict[str, Any]:
    """The runs of trials by name."""
    return {name: run for name, run in runs(study).items() if run.data.tags.get("facegrid.kind") == "trial"}


def test_trials_are_children_of_the_run_of_their_cell(study: Any) -> None:
    made = study()
    found = sync_pass(made.path)
    assert found.problems == []
    searched = made.cells[1]
    assert set(found.runs) == {searched.id}  # runs of cells; the other cell has not begun
    assert sorted(children(made)) == ["trial 1", "trial 2", "trial 3", "trial 4"]
    for run in children(made).values():
        assert run.data.tags["mlflow.parentRunId"] == found.runs[searched.id]
        assert "facegrid.cell" not in run.data.tags
        assert run.info.status == "FINISHED"
    chosen = children(made)["trial 2"]
    assert (chosen.data.tags["facegrid.chosen"], chosen.data.tags["facegrid.rung"]) == ("true", "2")
    assert chosen.data.params["parameters"] == "1001"
    stack = made.cells[1].markers["search"].facts["head"]
    assert chosen.data.params["widths"].split(", ")[-1] == str(stack["dimension"])
    assert children(made)["trial 1"].data.tags["facegrid.chosen"] == "false"


def test_each_epoch_of_a_trial_is_one_point_however_many_rungs_it_was_trained_in(study: Any) -> None:
    made = study()
    sync_pass(made.path)
    for number, losses in ((1, LOSSES[0][:1]), (2, LOSSES[1]), (3, LOSSES[2])):
        found = history(made, f"trial {number}", "validation_loss")
        assert [(step, value) for step, value, _ in found] == list(enumerate(losses, start=1))


def test_a_trial_grows_with_its_rungs_and_a_second_pass_writes_nothing(study: Any) -> None:
    made = study(4)
    sync_pass(made.path)
    assert {run.info.status for run in children(made).values()} == {"RUNNING"}
    ids = {name: run.info.run_id for name, run in children(made).items()}
    made = study(6)
    assert sync_pass(made.path).said == []
    assert {name: run.info.run_id for name, run in children(made).items()} == ids
    assert len(history(made, "trial 2", "validation_loss")) == 3
    assert sync_pass(made.path).writes == 0
    assert thorough(made).said == []


def test_points_written_before_a_crash_are_not_written_twice(study: Any) -> None:
    made = study()
    sync_pass(made.path)
    run = children(made)["trial 2"]
    client = connect(tracking_of(made))
    ticks = [tag for tag in run.data.tags if tag.startswith("facegrid.synced.")]
    assert len(ticks) == 2
    for tag in ticks:
        client.delete_tag(run.info.run_id, tag)
    assert sync_pass(made.path).said == []
    assert len(history(made, "trial 2", "validation_loss")) == 3


def test_a_changed_point_replaces_the_run(study: Any) -> None:
    made = study()
    sync_pass(made.path)
    run = children(made)["trial 2"].info.run_id
    client = connect(tracking_of(made))
    client.log_metric(run, "Learning curves/validation_loss", 9.0, step=2)
    (said,) = thorough(made).said
    assert said.startswith(f"trial 2: the run {run} was replaced, because")
    assert [value for _, value, _ in history(made, "trial 2", "validation_loss")] == LOSSES[1]


def test_trials_of_a_search_that_left_the_grid_file_are_hidden(study: Any) -> None:
    made = study()
    sync_pass(made.path)
    searched_study(made.path.parents[1], 0, axes={"dense_layers": {"plain": {}}})
    found = sync_pass(made.path)
    assert found.problems == []
    assert {run.data.tags["facegrid.hidden"] for run in children(made).values()} == {"true"}
