"""Learning curves in MLflow: each epoch once, whatever happened to the training or to a pass."""

from typing import Any

from mlflow_runs import Make, epoch, history, runs

from grid.ledger.ledger import Resume
from grid.ledger.study import Study
from grid.tracking.sync import MlflowSync, sync_pass
from grid.tracking.uri import connect, tracking_of


def test_epochs_arrive_one_by_one_whoever_copies_them(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=4)
    id = study.cells[0].stages["train"]
    keeping = MlflowSync(study, tracking_of(study))
    keeping.once()
    assert runs(study)["resnet34"].info.status == "RUNNING"
    attempt = study.ledger.begin("train", id, {})
    attempt.resumed(_origin(study, id))
    for number in (2, 3, 4):
        epoch(attempt, number, 1 / number, 1_800_000_000 + number)
        found = sync_pass(study.path) if number == 3 else keeping.once()
        assert found.problems == []
        assert found.said == []
        steps = [step for step, _, _ in history(study, "resnet34", "train_loss")]
        assert steps == list(range(1, number + 2))
    assert keeping.once().writes == 0


def _origin(study: Study, id: str) -> Any:

    folder = next(name for name in study.ledger.store.names(f"train/{id}") if name.startswith("000001-"))
    return Resume(folder, study.ledger.store, "", {"position": [2, 0]})


def test_points_that_were_written_before_a_crash_are_not_written_twice(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    tracking = tracking_of(study)
    sync_pass(study.path)
    run = runs(study)["resnet34"].info.run_id
    connect(tracking).delete_tag(run, "facegrid.synced.train")  # the crash came before the tick
    before = history(study, "resnet34", "train_loss")
    assert sync_pass(study.path).said == []
    assert history(study, "resnet34", "train_loss") == before


def test_a_training_that_comes_out_differently_replaces_the_run(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    old = sync_pass(study.path).runs
    attempt = study.ledger.begin("train", study.cells[0].stages["train"], {})
    for number in range(4):
        epoch(attempt, number, 9.0 - number, 1_800_000_000.0 + number)
    result = sync_pass(study.path)
    assert result.runs != old
    assert len(result.said) == 1
    assert "replaced" in result.said[0]
    assert [value for _, value, _ in history(study, "resnet34", "train_loss")] == [9.0, 8.0, 7.0, 6.0]
    assert sync_pass(study.path).writes == 0


def test_a_running_launch_notices_that_a_training_began_anew(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    keeping = MlflowSync(study, tracking_of(study))
    old = keeping.once().runs
    attempt = study.ledger.begin("train", study.cells[0].stages["train"], {})
    for number in range(4):
        epoch(attempt, number, 9.0 - number, 1_800_000_000.0 + number)
    result = keeping.once()
    assert result.runs != old
    assert "came out differently" in result.said[0]
    assert [value for _, value, _ in history(study, "resnet34", "train_loss")] == [9.0, 8.0, 7.0, 6.0]


def test_a_crash_and_then_equal_epochs_at_other_times_leave_one_point_each(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    sync_pass(study.path)
    run = runs(study)["resnet34"].info.run_id
    connect(tracking_of(study)).delete_tag(run, "facegrid.synced.train")
    before = history(study, "resnet34", "train_loss")
    attempt = study.ledger.begin("train", study.cells[0].stages["train"], {})
    for row in study.ledger.events("train", study.cells[0].stages["train"]):
        attempt.event({**row, "time": row["time"] + 500}, None)
    assert sync_pass(study.path).said == []
    assert history(study, "resnet34", "train_loss") == before
    assert sync_pass(study.path).writes == 0


def test_an_equal_training_is_no_news(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    old = sync_pass(study.path).runs
    rows = study.ledger.events("train", study.cells[0].stages["train"])
    attempt = study.ledger.begin("train", study.cells[0].stages["train"], {})
    for row in rows:
        attempt.event({**row, "time": row["time"] + 500}, None)
    before = history(study, "resnet34", "train_loss")
    result = sync_pass(study.path)
    assert result.runs == old
    assert result.said == []
    assert history(study, "resnet34", "train_loss") == before


def test_freed_events_are_read_from_the_history(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), epochs=3)
    cell = study.cells[0]
    wanted = study.ledger.events("train", cell.stages["train"])
    marker = cell.markers["train"]
    study.ledger.store.delete(f"train/{marker.id}/{marker.attempt}/events")
    assert sync_pass(study.path).problems == []
    got = history(study, "resnet34", "validation_loss")
    assert got == [(row["epoch"] + 1, row["validation_loss"], round(row["time"] * 1000)) for row in wanted]
