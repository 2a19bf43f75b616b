"""A search for dense layers in a real launch: killed once and resumed, it computes nothing twice and chooses the same."""

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from launching import Facegrid, Store, cells, here, runs
from naive_halving import naive
from small import write
from small_search import BASE, PROTOCOL

import facegrid as fg
from grid.spec.search import Search, layers_of
from grid.tracking.uri import connect, default_tracking

SEARCH = {
    "trials": 4, "rungs": [1, 3], "reduction": 2, "seed": 1,
    "space": {"layers": [1, 2], "widths": [8, 32], "step": 8, "dropouts": [0.0, 0.5]},
}  # fmt: skip


def file(folder: Path, **launch: Any) -> Path:
    axes = {
        "dense_layers": {"plain": {"head": {"name": "dense", "dimension": 8, "hidden": []}}, "searched": {"search": SEARCH}}
    }
    return write(folder / "mine.yaml", BASE, name="mine", axes=axes, protocols=[PROTOCOL], explainers=[], launch=launch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the same grid after a launch without Ray in which nothing was killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    here(folder, "launch", file(folder, executor="local"))
    return Store(folder / "studies/mine/store")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A launch by Ray whose driver was killed in the middle of the search, and a second one, without Ray, that finished it."""
    folder = tmp_path_factory.mktemp("killed")
    grid = file(folder, resources={"cpus": 1}, concurrency=2)
    store = Store(folder / "studies/mine/store")
    with Facegrid(folder, "launch", grid) as driver:
        driver.until(lambda: sum(kind == "trial" for kind, _ in store.markers()) >= 2)
        driver.kill()
    done = {key: (marker.attempt, marker.content) for key, marker in store.markers().items()}
    attempts = store.attempts()
    said = here(folder, "launch", grid, "launch.executor=local")
    return SimpleNamespace(
        folder=folder, grid=grid, store=store, study=folder / "studies/mine", done=done, before=attempts, said=said
    )


def facts(store: Store, kind: str) -> list[Any]:
    return [marker.facts for (found, _), marker in store.markers().items() if found == kind]


@pytest.mark.slow
def test_the_kill_came_in_the_middle_of_the_search(killed: Any) -> None:
    assert not [key for key in killed.done if key[0] == "search"]
    assert 2 <= sum(kind == "trial" for kind, _ in killed.done) < 6


@pytest.mark.slow
def test_nothing_that_was_finished_ran_again(killed: Any) -> None:
    markers, attempts = killed.store.markers(), killed.store.attempts()
    for key, (attempt, content) in killed.done.items():
        assert (markers[key].attempt, markers[key].content) == (attempt, content)
        assert attempts[key] == killed.before[key] == 1
    assert len(facts(killed.store, "trial")) == 6


@pytest.mark.slow
def test_the_search_ends_as_one_that_was_not_killed(killed: Any, undisturbed: Store) -> None:
    """All results are equal, those of the cells included."""
    assert killed.store.contents() == undisturbed.contents()
    (one,), (other,) = facts(killed.store, "search"), facts(undisturbed, "search")
    assert one == other


@pytest.mark.slow
def test_the_winner_is_what_naive_halving_of_the_recorded_curves_gives(killed: Any) -> None:
    curves = np.full((4, 3), np.nan)
    for (kind, _), marker in killed.store.markers().items():
        if kind == "trial":
            history = killed.store.ledger.json(marker, "history.json")
            curves[marker.facts["trial"], : len(history)] = [row["validation_loss"] for row in history]
    survivors = naive(np.nan_to_num(curves, nan=np.inf), [1, 3], 2, lower=True)[1]
    assert sorted(np.flatnonzero(np.isfinite(curves[:, 2])).tolist()) == survivors
    winner = min(survivors, key=lambda trial: curves[trial, 2])
    (chosen,) = facts(killed.store, "search")
    assert chosen["winner"] == winner + 1
    assert layers_of(chosen["head"]) == Search.model_validate(SEARCH).stacks()[winner]


@pytest.mark.slow
def test_a_third_launch_and_a_plan_have_nothing_to_do(killed: Any) -> None:
    attempts = killed.store.attempts()
    assert "A launch would run nothing" in " ".join(here(killed.folder, "plan", killed.grid).split())
    here(killed.folder, "launch", killed.grid)
    assert killed.store.attempts() == attempts


def test_a_plan_shows_the_search_before_it_runs(tmp_path: Path) -> None:
    said = " ".join(here(tmp_path, "plan", file(tmp_path)).split())
    assert re.search(
        r"search [0-9a-f]{10} of 1 cell: 4 trials, 4 for 1 epoch, 2 for 3 epochs, by validation_loss: 6 of 6 trainings to run",
        said,
    )
    assert "would run 6 trial, 1 search, 2 train, 2 evaluate" in said


@pytest.mark.slow
def test_mlflow_has_a_child_of_the_cells_run_for_each_trial(killed: Any) -> None:
    of_cells = runs(killed.study)
    assert {cell["id"] for cell in cells(killed.study)} == set(of_cells)
    assert all(len(several) == 1 for several in of_cells.values())
    searched = next(cell for cell in cells(killed.study) if cell["levels"]["dense_layers"] == "searched")
    (parent,) = of_cells[searched["id"]]
    client = connect(default_tracking(killed.study))
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'", order_by=["attributes.run_name"]
    )
    assert [run.info.run_name for run in children] == ["trial 1", "trial 2", "trial 3", "trial 4"]
    assert {run.info.status for run in children} == {"FINISHED"}
    points = [len(client.get_metric_history(run.info.run_id, "Learning curves/validation_loss")) for run in children]
    assert sorted(points) == [1, 1, 3, 3]
    (winner,) = [run for run in children if run.data.tags["facegrid.chosen"] == "true"]
    assert winner.info.run_name == f"trial {facts(killed.store, 'search')[0]['winner']}"


@pytest.mark.slow
def test_status_and_report_show_the_search_and_tables_of_cells_only_cells(killed: Any) -> None:
    (chosen,) = facts(killed.store, "search")
    status = " ".join(here(killed.folder, "status", killed.study).split())
    assert f"search of dense_layers=searched: trial {chosen['winner']} of 4: " in status
    report = " ".join(here(killed.folder, "report", killed.study).split())
    assert "6 of 6 trainings done; trials by epochs: 4 for 1, 2 for 3" in report
    text = (killed.study / "report/searches.md").read_text(encoding="utf-8")
    rows = [[field.strip() for field in line.split(" | ")] for line in text.splitlines() if re.match(r"\| \d", line)]
    assert sorted(row[0] for row in rows) == ["| 1", "| 2", "| 3", "| 4"]
    assert rows[0][0] == f"| {chosen['winner']}"
    assert rows[0][3:6] == [f"{chosen['validation_loss']:.4f}", "2", "3"]
    assert [row[4] for row in rows] == ["2", "2", "1", "1"]
    with open(killed.study / "report/table.csv", encoding="utf-8") as table:
        assert [row["dense_layers"] for row in csv.DictReader(table)] == ["plain", "searched"]
    assert len(json.loads(here(killed.folder, "status", killed.study, "--json"))["cells"]) == 2


@pytest.mark.slow
def test_the_trained_network_loads_with_the_chosen_layers(killed: Any) -> None:
    network = fg.Study(killed.study).load(dense_layers="searched")
    (chosen,) = facts(killed.store, "search")
    widths = [layer.out_features for layer in network.network.head.stack if hasattr(layer, "out_features")]
    assert widths == [layer["width"] for layer in layers_of(chosen["head"])]
