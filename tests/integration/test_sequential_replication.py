"""Sequential replication in a real launch: killed between two looks and resumed, it decides as one that was not."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from launching import Facegrid, Store, cells, here
from moderated_welch import interval
from small import write

from modules.metrics.group_sequential import nominal_levels

DRAWN = {"name": "drawn", "shots": 4, "size": 64}
BASE: dict[str, Any] = {
    "data": {**DRAWN, "subjects": 10, "shots": 5},
    "input": {"size": 32},
    "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
    "head": "gap_bn",
    "recipe": {"name": "one_cycle", "lr": 0.005, "epochs": 1, "batch_size": 16},
}
LEVELS = {"two": 2, "four": 4, "many": 64}
AXES = {"embedding": {level: {"head.dimension": size} for level, size in LEVELS.items()}}
WIDTH, LOOKS = 0.25, (2, 3, 4, 5)
RULE = {"at_least": 2, "at_most": 5, "until": {"metric": "auc", "half_width": WIDTH}}
PROTOCOL = {**DRAWN, "subjects": 12, "folds": 3, "pairs_per_fold": 40}


def file(folder: Path) -> Path:
    launch = {"executor": "local", "resources": {"gpus": 0}}
    return write(
        folder / "mine.yaml", BASE, name="mine", axes=AXES, protocols=[PROTOCOL], explainers=[], replicates=RULE, launch=launch
    )


def values(study: Path) -> dict[str, list[float]]:
    """The AUC by level and replicate."""
    found: dict[str, list[float]] = {level: [] for level in LEVELS}
    for cell in json.loads((study / "report/report.json").read_text())["cells"]:
        found[cell["levels"]["embedding"]].append(cell["metrics"]["drawn"]["auc"]["value"])
    return found


def naive(found: dict[str, list[float]]) -> dict[str, int]:
    """The replicates that each level needs: all pairs are judged after each round."""
    pairs = list(itertools.combinations(range(3), 2))
    rows = list(found.values())
    needed, open_ = [LOOKS[0]] * 3, set(pairs)
    common = float(np.mean([np.var(row[: LOOKS[0]], ddof=1) for row in rows]))
    for count, level in zip(LOOKS, nominal_levels(3, tuple(pairs), LOOKS), strict=True):
        for one, other in list(open_):
            low, high = interval(rows[one][:count], rows[other][:count], common, level)
            if low > 0 or high < 0 or (high - low) / 2 <= WIDTH:
                open_.remove((one, other))
            elif count < LOOKS[-1]:
                needed[one] = needed[other] = count + 1
    return dict(zip(found, needed, strict=True))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("undisturbed")
    said = here(folder, "launch", file(folder))
    return SimpleNamespace(folder=folder, study=folder / "studies/mine", said=said, store=Store(folder / "studies/mine/store"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A launch whose process was killed after the first look, and a second one that finished it."""
    folder = tmp_path_factory.mktemp("killed")
    grid, study = file(folder), folder / "studies/mine"
    store = Store(study / "store")
    with Facegrid(folder, "launch", grid) as driver:
        driver.until(lambda: sum(kind == "train" for kind, _ in store.markers()) >= 7)
        driver.kill()
    done, attempts = store.contents(), store.attempts()
    said = here(folder, "launch", grid)
    return SimpleNamespace(folder=folder, study=study, store=store, done=done, before=attempts, said=said, grid=grid)


def test_each_cell_has_the_replicates_that_its_open_differences_need(undisturbed: Any) -> None:
    found = values(undisturbed.study)
    assert {level: len(own) for level, own in found.items()} == naive(found)
    assert max(map(len, found.values())) > LOOKS[0], "this grid goes on after the first look"
    assert "replicates: " in undisturbed.said
    assert " go on to 3 replicates" in undisturbed.said


def test_a_plan_says_what_runs_first(tmp_path: Path) -> None:
    said = " ".join(here(tmp_path, "plan", file(tmp_path)).split())
    assert f"would first run {3 * LOOKS[0]} train" in said


def test_every_training_ran_once(undisturbed: Any) -> None:
    assert set(undisturbed.store.attempts().values()) == {1}
    assert len(cells(undisturbed.study)) == sum(naive(values(undisturbed.study)).values())


@pytest.mark.slow
def test_a_killed_launch_takes_the_same_decisions(undisturbed: Any, killed: Any) -> None:
    assert killed.store.contents() == undisturbed.store.contents()
    assert values(killed.study) == values(undisturbed.study)


def test_nothing_that_was_finished_ran_again(killed: Any) -> None:
    attempts = killed.store.attempts()
    assert sum(kind == "train" for kind, _ in killed.done) >= 7
    assert {key: attempts[key] for key in killed.done} == {key: killed.before[key] for key in killed.done}


def test_a_third_launch_and_a_plan_have_nothing_to_do(killed: Any) -> None:
    attempts = killed.store.attempts()
    said = " ".join(here(killed.folder, "plan", killed.grid).split())
    assert "A launch would run nothing" in said
    assert "3 of 3 cells need no more" in said
    here(killed.folder, "launch", killed.grid)
    assert killed.store.attempts() == attempts


def test_the_report_says_why_each_cell_has_no_more(undisturbed: Any) -> None:
    report = json.loads((undisturbed.study / "report/report.json").read_text())["replication"]
    assert [cell["replicates"] for cell in report["cells"]] == [len(own) for own in values(undisturbed.study).values()]
    assert all(one["state"] in ("differs", "narrow", "open") for one in report["contrasts"])
    text = (undisturbed.study / "report/replication.md").read_text(encoding="utf-8")
    assert "| two | " in text
    assert "of 2 differences: " in text
