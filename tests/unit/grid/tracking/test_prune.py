"""What prune deletes in MLflow: runs of cells that left the grid and files of replaced runs, never a run of a present cell."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import ViewType
from mlflow_runs import AXES, Make, edit, runs
from mlflow_server import Server
from slow import slow

from grid.abort import LaunchAborted
from grid.ledger.study import Study
from grid.ledger.study_identity import home_of
from grid.tracking.artifacts import files_of
from grid.tracking.prune import DELETED, REMOVED, prune_runs
from grid.tracking.run import known_of
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

SMALL: dict[str, Any] = {"axes": AXES, "protocols": (), "explainers": (), "epochs": 1}
NONE, MTCNN = "resnet34 / none", "resnet34 / mtcnn"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as one:
        yield one


def leave(record: dict[str, Any]) -> None:
    """The second cell leaves the grid."""
    record.update(hidden=record["cells"][1:], cells=record["cells"][:1])


def pruned(study: Study, dry_run: bool = False, tracking: str | None = None) -> list[tuple[str, str, bool]]:
    """Name, what, and whether there were files."""
    found = prune_runs(Study(study.path), tracking or tracking_of(study), dry_run)
    return sorted((one.name, one.what, one.bytes > 0) for one in found)


def everything(study: Study) -> dict[str, tuple[str, str, int]]:
    """Every run that MLflow has, by its id: name, lifecycle stage, number of files."""
    client = connect(tracking_of(study))
    found = client.search_runs([one.experiment_id for one in client.search_experiments()], run_view_type=ViewType.ALL)
    return {
        run.info.run_id: (run.info.run_name, run.info.lifecycle_stage, len(files_of(client, known_of(run)))) for run in found
    }


@pytest.mark.parametrize("where", [*slow(["server"]), "file"])
def test_runs_of_removed_cells_and_files_of_replaced_runs_go_and_all_else_stays(
    new_study: Make, request: pytest.FixtureRequest, where: str
) -> None:
    address = request.getfixturevalue("server").address if where == "server" else None
    study = new_study(where, **SMALL, tracking=address)
    other = new_study(f"{where} beside it", **SMALL, tracking=address)
    sync_pass(other.path)
    old = sync_pass(study.path).runs
    client = connect(tracking_of(study))
    mine = client.create_run(sync_pass(study.path).experiment_id, run_name="mine").info.run_id
    edit(study, lambda record: record["cells"][0]["levels"].update(detection="other"))
    replaced = old[study.cells[0].id]
    sync_pass(study.path)
    assert pruned(study, dry_run=True) == pruned(study, dry_run=True) == [(NONE, DELETED, True)]
    edit(study, leave)
    sync_pass(study.path)
    before = everything(study)
    wanted = [(MTCNN, REMOVED, True), (NONE, DELETED, True)]
    assert pruned(study, dry_run=True) == wanted
    assert everything(study) == before, "a dry run deletes nothing"
    assert pruned(study) == wanted
    removed = old[str(Study(study.path).cells[1].id)]
    changed = {removed: (MTCNN, "deleted", 0), replaced: (NONE, "deleted", 0)}
    assert everything(study) == {**before, **changed}
    assert before[mine] == ("mine", "active", 0)
    assert pruned(study) == []
    again = sync_pass(study.path, thorough=True)
    assert (again.problems, again.said, removed in again.runs.values()) == ([], [], False)
    assert everything(study).keys() == before.keys(), "a removed cell is not copied again"


def test_a_cell_that_comes_back_is_copied_again(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)
    edit(study, leave)
    assert pruned(study) == [(MTCNN, REMOVED, True)]
    edit(study, lambda record: record.update(cells=[*record["cells"], *record["hidden"]], hidden=[]))
    assert len(sync_pass(study.path).runs) == 2
    assert set(runs(study)) == {NONE, MTCNN}
    assert pruned(study) == []


def test_a_cell_whose_data_are_missing_keeps_its_run(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)

    def block(record: dict[str, Any]) -> None:
        leave(record)
        record["cells"].append({**record["hidden"][0], "id": None, "state": "blocked", "reason": "no folder", "stages": {}})

    edit(study, block)
    assert pruned(study) == []
    edit(study, lambda record: record.update(hidden=[]))  # of its run, nothing but the id is known any more
    assert pruned(study) == []


def test_combinations_of_removed_cells_go_and_those_of_others_stay(new_study: Make) -> None:
    axes = {"detection": ["none", "mtcnn"], "replicate": ["0", "1"]}
    study = new_study(**SMALL | {"axes": axes})
    sync_pass(study.path)
    keep = lambda record: [cell for cell in record["cells"] if cell["levels"]["detection"] == "none"]  # noqa: E731
    edit(
        study,
        lambda record: record.update(hidden=[one for one in record["cells"] if one not in keep(record)], cells=keep(record)),
    )
    assert [name for name, *_ in pruned(study)] == ["mtcnn", "mtcnn / 0", "mtcnn / 1"]
    assert set(runs(study)) == {"none", "none / 0", "none / 1"}


def test_a_copied_study_does_not_touch_the_runs_of_the_original(new_study: Make) -> None:
    study = new_study(**SMALL)
    edit(study, lambda record: record.update(home=home_of(study.path)))
    sync_pass(study.path)
    edit(study, leave)
    copy = study.path.with_name("copy")
    shutil.copytree(study.path, copy)
    before = everything(study)
    assert pruned(Study(copy)) == []
    assert everything(study) == before
    assert pruned(study) == [(MTCNN, REMOVED, True)]


def test_nothing_is_deleted_after_the_lock_is_lost(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)
    edit(study, leave)
    before = everything(study)

    def lost() -> None:
        raise LaunchAborted("another process has taken over the study")

    with pytest.raises(LaunchAborted):
        list(prune_runs(Study(study.path), tracking_of(study), False, lost))
    assert everything(study) == before


def test_a_study_that_was_never_copied_has_no_runs_and_gets_no_database(make_study: Make, tmp_path: Path) -> None:
    study = make_study(**SMALL)
    assert pruned(study) == []
    assert not list(tmp_path.rglob("mlflow.db"))
