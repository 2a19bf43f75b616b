"""``facegrid prune`` on a finished study: nothing runs again, and removed cells go only on request."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from launching import Store, cells, here

from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import read_record, write_record
from grid.ledger.study_identity import home_of

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("no_report")]
STUDY = Path("studies", "tiny")


@pytest.fixture
def place(undisturbed: Any, tmp_path: Path) -> Path:
    """A folder with a copy of the finished study. Files are shared, except for the database, which launches write into."""
    shutil.copytree(undisturbed.study.parent, tmp_path / "studies", copy_function=_copied)
    shutil.copy(undisturbed.grid, tmp_path / "tiny.yaml")
    return tmp_path


def _copied(source: str, target: str) -> None:
    (shutil.copy if os.path.basename(source).startswith("mlflow.db") else os.link)(source, target)


def checkpoints(place: Path) -> list[Path]:
    return sorted((place / STUDY / "store").glob("*/*/*/checkpoints/*"))


def spent(place: Path) -> Any:
    return json.loads(here(place, "status", STUDY, "--json"))["spent"]


def test_checkpoints_go_and_nothing_runs_again(place: Path, undisturbed: Any) -> None:
    there = checkpoints(place)
    assert there
    size = sum(path.stat().st_size for path in there)
    with Lock(LocalStore(place / STUDY), "launch of tiny"):
        dry = json.loads(here(place, "prune", STUDY, "--dry-run", "--json"))
    assert (dry["bytes"], checkpoints(place)) == (size, there)
    assert "checkpoints of finished stages" in here(place, "prune", STUDY)
    assert checkpoints(place) == []
    assert Store(place / STUDY / "store").contents() == undisturbed.contents
    assert "; 0 stages to run" in here(place, "launch", "tiny.yaml")
    assert "0 B freed" in here(place, "prune", STUDY)


def test_results_of_removed_cells_go_on_request(place: Path) -> None:
    here(place, "sync", STUDY)  # a copied study has runs of its own
    tree = yaml.safe_load((place / "tiny.yaml").read_text())
    del tree["axes"]["head"]["wide"], tree["skip"]
    (place / "tiny.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    here(place, "launch", "tiny.yaml")
    store = Store(place / STUDY / "store")
    all_of = len(store.contents())
    here(place, "prune", STUDY)
    assert len(store.contents()) == all_of
    dry = json.loads(here(place, "prune", STUDY, "--mlflow", "--dry-run", "--json"))["mlflow"]
    said = here(place, "prune", STUDY, "--mlflow")
    assert dry
    for run in dry:
        assert run["what"] == "runs in MLflow of cells that are no longer in the grid"
        assert f"{run['name']} (run {run['run'][:10]})" in said
        assert "wide" in run["name"]
    assert json.loads(here(place, "prune", STUDY, "--mlflow", "--json"))["mlflow"] == []
    assert len(store.contents()) == all_of, "the ledger keeps them"
    before = spent(place)
    assert "results of removed cells" in here(place, "prune", STUDY, "--removed")
    assert spent(place) == before, "what was computed and then deleted was spent all the same"
    record = json.loads((place / STUDY / "plan.json").read_text())
    assert record["hidden"] == []
    assert {id for _, id in store.contents()} == {id for cell in cells(place / STUDY) for id in cell["stages"].values()}
    assert len(store.contents()) == all_of - 3
    here(place, "report", STUDY)
    assert "; 0 stages to run" in here(place, "launch", "tiny.yaml")
    assert spent(place) == before


def test_what_cannot_be_deleted_is_not_freed_and_can_be_pruned_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = yaml.safe_load((place / "tiny.yaml").read_text())
    del tree["axes"]["head"]["wide"], tree["skip"]
    (place / "tiny.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    here(place, "launch", "tiny.yaml")
    before, delete = spent(place), shutil.rmtree
    whole = json.loads(here(place, "prune", STUDY, "--removed", "--dry-run", "--json"))

    def read_only(path: Path) -> None:
        if path.parent.name == "train":
            raise PermissionError(13, "Permission denied", str(path))
        delete(path)

    monkeypatch.setattr("shutil.rmtree", read_only)
    said = here(place, "prune", STUDY, "--removed", code=1)
    first, *_, last = [line for line in said.splitlines() if line]
    assert re.search(r"facegrid: .* in 1 of \d+ places could not be deleted \(\[Errno 13\] Permission denied: .*/train/", first)
    assert last.endswith(" freed")
    left = json.loads(here(place, "prune", STUDY, "--removed", "--dry-run", "--json"))
    assert [one["what"] for one in left["objects"]] == ["results of removed cells"]
    assert 0 < left["bytes"] < whole["bytes"]
    assert spent(place) == before
    monkeypatch.undo()
    assert json.loads(here(place, "prune", STUDY, "--removed", "--json"))["bytes"] == left["bytes"]
    assert json.loads((place / STUDY / "plan.json").read_text())["hidden"] == []
    assert spent(place) == before


def test_a_shared_store_keeps_the_results_of_removed_cells(place: Path) -> None:
    shutil.move(place / STUDY / "store", place / "shared")
    here(place, "launch", "tiny.yaml", f"launch.store={place / 'shared'}")
    said = here(place, "prune", STUDY, "--removed", code=2)
    assert said.startswith("facegrid: --removed: the store ")
    assert "other studies may need" in said
    shutil.copytree(place / STUDY, place / "studies" / "second")
    here(place, "sync", Path("studies", "second"))  # a copy has runs of its own
    tree = yaml.safe_load((place / "tiny.yaml").read_text())
    del tree["axes"]["head"]["wide"], tree["skip"]
    (place / "tiny.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    here(place, "launch", "tiny.yaml", f"launch.store={place / 'shared'}")
    store, named = Store(place / "shared"), ("--removed", "--shared-with", Path("studies", "second"))
    all_of = store.contents()
    twice = (*named, *named[1:], "--shared-with", STUDY)  # the same study again, and the pruned one itself
    assert "results of removed cells" not in here(place, "prune", STUDY, *twice, "--dry-run")
    assert "results of removed cells" not in here(place, "prune", STUDY, *named, "--dry-run"), "the second study needs them"
    record = read_record(place / "studies" / "second") or {}
    wide = [cell for cell in record["cells"] if cell["levels"]["head"] == "wide"]
    write_record(place / "studies" / "second", {**record, "cells": [cell for cell in record["cells"] if cell not in wide]})
    assert "results of removed cells" in here(place, "prune", STUDY, *named)
    gone = {id for cell in wide for id in cell["stages"].values()}
    assert store.contents() == {key: content for key, content in all_of.items() if key[1] not in gone}
    assert len(all_of) - len(store.contents()) == 3
    assert "; 0 stages to run" in here(place, "launch", "tiny.yaml", f"launch.store={place / 'shared'}")


def test_without_an_answer_of_mlflow_the_disk_is_freed_and_one_line_says_so(place: Path) -> None:
    own = {"home": home_of(place / STUDY), "tracking": "http://me:secret@127.0.0.1:1"}  # no longer a copy
    write_record(place / STUDY, {**(read_record(place / STUDY) or {}), **own})
    said = here(place, "prune", STUDY, "--mlflow", code=1)
    assert checkpoints(place) == []
    assert "--mlflow: http://***@127.0.0.1:1 cannot be reached or written to (no server answers); prune again later" in said
    assert "secret" not in said
