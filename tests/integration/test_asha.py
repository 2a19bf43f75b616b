"""An asynchronous search in a real launch, killed once and resumed: what was decided and what ended stays."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from launching import Facegrid, Store, facegrid, here, runs
from slow import slow
from small import write
from small_search import BASE, PROTOCOL

from grid.spec.search import Search, layers_of
from grid.stages.asha import trained
from grid.tracking.uri import connect, default_tracking

SEARCH: dict[str, Any] = {
    "trials": 6, "rungs": [1, 2, 4], "reduction": 2, "seed": 1, "scheduler": "asha",
    "space": {"layers": [1, 2], "widths": [8, 32], "step": 8, "dropouts": [0.0, 0.5]},
}  # fmt: skip


def file(folder: Path, **launch: Any) -> Path:
    levels = {"asha": {"search": SEARCH}, "halving": {"search": {**SEARCH, "scheduler": "halving"}}}
    if "executor" not in launch:
        del levels["halving"]
    return write(
        folder / "mine.yaml", BASE, name="mine", axes={"search": levels}, protocols=[PROTOCOL], explainers=[], launch=launch
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store after a launch without Ray, also of the same search with successive halving."""
    folder = tmp_path_factory.mktemp("alone")
    here(folder, "launch", file(folder, executor="local"))
    return Store(folder / "studies/mine/store")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A launch by Ray whose driver was killed in the middle of the search, and a second one that finished it."""
    folder = tmp_path_factory.mktemp("killed")
    grid = file(folder, resources={"cpus": 1}, concurrency=2)
    store = Store(folder / "studies/mine/store")
    with Facegrid(folder, "launch", grid) as driver:
        driver.until(lambda: len(decisions(store)) >= 1 and len(store.markers()) >= 4)
        driver.kill()
    done = {key: (marker.attempt, marker.content) for key, marker in store.markers().items()}
    decided = decisions(store)
    facegrid(folder, "launch", grid)
    return SimpleNamespace(folder=folder, grid=grid, store=store, study=folder / "studies/mine", done=done, decided=decided)


def decisions(store: Store) -> dict[str, bytes]:
    """The recorded promotions, by id of the stage."""
    objects = store.ledger.store
    keys = {id: f"trial/{id}/promoted.json" for id in objects.names("trial")}
    return {id: data for id, key in keys.items() if (data := objects.get(key)) is not None}


def trainings(store: Store, *, asynchronous: bool = True) -> dict[tuple[int, int], Any]:
    """(trial, rung) -> marker of what was trained; the first rung belongs to both kinds of search."""
    found = {}
    for (kind, _), marker in store.markers().items():
        if (
            kind == "trial"
            and trained(marker.facts)
            and (not marker.facts["rung"] or asynchronous == ("promoted" in marker.facts))
        ):
            found[marker.facts["trial"], marker.facts["rung"]] = marker
    return found


def loss(marker: Any) -> float:
    return float(marker.facts["metrics"]["validation_loss"])


@pytest.mark.slow
def test_what_ended_and_what_was_decided_before_the_kill_stays(killed: Any) -> None:
    assert not [key for key in killed.done if key[0] == "search"]
    markers = killed.store.markers()
    for key, (attempt, content) in killed.done.items():
        assert (markers[key].attempt, markers[key].content) == (attempt, content)
    after = decisions(killed.store)
    assert killed.decided.items() <= after.items()
    assert {marker.id for marker in trainings(killed.store).values() if marker.facts["rung"]} == set(after)


@pytest.mark.parametrize("which", [*slow(["killed"]), "alone"])
def test_every_rung_has_promoted_its_best_trials_in_the_end(which: str, request: pytest.FixtureRequest) -> None:
    value = request.getfixturevalue(which)
    store = value if which == "alone" else value.store
    found = trainings(store)
    assert sorted(trial for trial, rung in found if rung == 0) == list(range(6))
    for rung in (0, 1):
        results = {trial: loss(marker) for (trial, at), marker in found.items() if at == rung}
        best = sorted(results, key=lambda trial: results[trial])[: len(results) // 2]
        promoted = {trial for trial, at in found if at == rung + 1}
        assert set(best) <= promoted <= set(results)
        for trial in promoted:
            decision = found[trial, rung + 1].facts["promoted"]
            assert 1 <= decision["rank"] <= decision["of"] <= len(results)
    last = {trial: loss(marker) for (trial, rung), marker in found.items() if rung == 2}
    (chosen,) = [marker.facts for (kind, _), marker in store.markers().items() if kind == "search" and uses_asha(store, marker)]
    assert chosen["winner"] == min(last, key=lambda trial: last[trial]) + 1
    assert layers_of(chosen["head"]) == Search.model_validate(SEARCH).stacks()[chosen["winner"] - 1]


def uses_asha(store: Store, search: Any) -> bool:
    return any("promoted" in row for row in store.ledger.json(search, "search.json")["trials"])


@pytest.mark.slow
def test_a_training_has_the_same_numbers_however_it_came_to_go_on(killed: Any, alone: Store) -> None:
    """By another launch, and by successive halving, which shares the first rung with it."""
    histories = {key: alone.ledger.json(marker, "history.json") for key, marker in trainings(alone).items()}
    for other, found in ((killed.store, trainings(killed.store)), (alone, trainings(alone, asynchronous=False))):
        both = histories.keys() & found.keys()
        assert {rung for _, rung in both} >= {0, 1}
        for key in both:
            assert losses(other.ledger.json(found[key], "history.json")) == losses(histories[key])


def losses(history: list[dict[str, Any]]) -> list[Any]:
    return [(row["train_loss"], row["validation_loss"]) for row in history]


@pytest.mark.slow
def test_a_finished_search_runs_nothing_again(killed: Any) -> None:
    attempts = killed.store.attempts()
    assert "A launch would run nothing" in " ".join(here(killed.folder, "plan", killed.grid).split())
    here(killed.folder, "launch", killed.grid)
    assert killed.store.attempts() == attempts


@pytest.mark.slow
def test_report_and_mlflow_show_the_trials_that_were_trained(killed: Any) -> None:
    found = trainings(killed.store)
    counts = [sum(rung == at for _, at in found) for rung in range(3)]
    report = " ".join(here(killed.folder, "report", killed.study).split())
    assert f"18 of 18 trainings done, {18 - sum(counts)} of them not needed" in report
    assert f"trials by epochs: {counts[0]} for 1, {counts[1]} for 2, {counts[2]} for 4" in report
    ((_, (parent,)),) = runs(killed.study).items()
    client = connect(default_tracking(killed.study))
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    rungs = {run.info.run_name: int(run.data.tags["facegrid.rung"]) for run in children}
    assert rungs == {f"trial {trial + 1}": 1 + max(rung for one, rung in found if one == trial) for trial in range(6)}
    assert sum(run.data.tags["facegrid.chosen"] == "true" for run in children) == 1
