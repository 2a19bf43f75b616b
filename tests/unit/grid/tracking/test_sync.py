import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.ledger.ledger import Attempt
from grid.ledger.study import Study
from grid.ledger.study_identity import home_of, own_identity
from grid.spec.grid_file import BadInput
from grid.tracking.sync import MlflowSync, sync_pass
from grid.tracking.uri import connect, tracking_of

AXES = {"backbone": ["resnet34"], "detection": ["none", "mtcnn"]}
Make = Callable[..., Study]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes MLflow seconds."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def new_study(make_study: Make, template: Path) -> Make:
    """``make_study`` beside a database that has its tables."""

    def make(*arguments: Any, **options: Any) -> Study:
        study = make_study(*arguments, **options)
        if not (study.path.parent / "mlflow.db").exists():
            shutil.copyfile(template, study.path.parent / "mlflow.db")
        return study

    return make


def runs(study: Study, tracking: str | None = None) -> dict[str, Any]:
    """MLflow's active runs by name."""
    client = connect(tracking or tracking_of(study.record, study.path))
    everything = client.search_runs([one.experiment_id for one in client.search_experiments()])
    found = {run.info.run_name: run for run in everything}
    assert len(found) == len(everything), "two runs of one name"
    return found


def dump(study: Study) -> tuple[list[str], dict[str, int]]:
    """All that MLflow has on disk: the database's content, and the files' times."""
    root = study.path.parent
    with sqlite3.connect(root / "mlflow.db") as database:
        lines = list(database.iterdump())
    files = [*(root / "mlartifacts").rglob("*"), study.path / "mlflow.json"]
    return lines, {str(path): path.stat().st_mtime_ns for path in files}


def history(study: Study, name: str, key: str) -> list[tuple[int, float, int]]:
    client = connect(tracking_of(study.record, study.path))
    points = client.get_metric_history(runs(study)[name].info.run_id, f"Learning curves/{key}")
    return [(point.step, point.value, point.timestamp) for point in points]


def epoch(attempt: Attempt, number: int, loss: float, time: float) -> None:
    row = {"epoch": number, "train_loss": loss, "validation_loss": loss, "lr": 0.1, "images_per_second": time % 7}
    attempt.event({**row, "position": [number + 1, 0], "whole": True, "time": time}, None)


def edit(study: Study, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes plan.json as a later launch would."""
    record = json.loads((study.path / "plan.json").read_text())
    change(record)
    (study.path / "plan.json").write_text(json.dumps(record))


def test_a_complete_pass_has_one_run_per_cell_and_a_second_pass_writes_nothing(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, images=2, epochs=3)
    (study.path / "report").mkdir()
    (study.path / "report" / "index.html").write_text("<p>")
    (study.path / "report" / "table.csv").write_text("backbone,accuracy\nresnet34,0.9\n")
    first = sync_pass(study.path, report=True)
    assert first.problems == []
    assert first.said == []
    assert not first.unreachable
    assert set(first.runs) == {cell.id for cell in study.cells}
    before = dump(study)
    second = sync_pass(study.path, report=True)
    assert second.writes == 0
    assert dump(study) == before
    assert set(runs(study)) == {"resnet34 / none", "resnet34 / mtcnn", "report"}
    assert json.loads((study.path / "mlflow.json").read_text())["runs"] == first.runs
    assert runs(study)["report"].data.tags["facegrid.kind"] == "summary"


def test_a_run_says_what_the_ledger_says(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, images=2, epochs=3)
    sync_pass(study.path)
    run = runs(study)["resnet34 / mtcnn"]
    cell = next(cell for cell in study.cells if cell.levels["detection"] == "mtcnn")
    assert run.info.status == "FINISHED"
    assert run.data.params["detection"] == "mtcnn"
    assert run.data.params.keys() == {"backbone", "detection", "data", "loss", "epochs", "seed"}
    assert not any(value.startswith("/") for value in run.data.params.values()), "a location is no param: it may move"
    assert run.data.tags["facegrid.cell"] == cell.id
    assert run.data.tags["facegrid.attempts.train"] == "1"
    assert run.data.tags["mlflow.source.git.commit"] == study.record["revision"]
    metrics = study.ledger.json(cell.markers["evaluate:lfw view 2"], "metrics.json")
    said = {key.partition("/")[2]: value for key, value in run.data.metrics.items() if key.startswith("lfw view 2/")}
    assert {key: value for key, value in said.items() if not key.startswith("val_at_far_")} == {
        "accuracy_ten_fold": metrics["ten_fold"]["value"], "accuracy_best_threshold": metrics["best_threshold"]["value"],
        "eer": metrics["eer"]["value"], "auc": metrics["auc"]["value"],
    }  # fmt: skip
    assert {key.partition("far_")[2] for key in said if key.startswith("val_at_far_")} <= metrics["val"].keys()
    events = study.ledger.events("train", cell.stages["train"])
    wanted = [(row["epoch"] + 1, row["train_loss"], round(row["time"] * 1000)) for row in events]
    assert history(study, "resnet34 / mtcnn", "train_loss") == wanted
    seen = {(one.dataset.name, one.tags[0].value) for one in run.inputs.dataset_inputs}
    assert seen == {("vggface2", "training"), ("lfw view 2", "testing")}
    files = {
        path.relative_to(study.path.parent / "mlartifacts").as_posix() for path in study.path.parent.rglob("mlartifacts/**/*")
    }
    own = {name.partition("/artifacts/")[2] for name in files if name.startswith(run.info.run_id)}
    wanted_files = {"explanations/gradcam/00.png", "explanations/gradcam/01.png", "explanations/gradcam/maps.npy"}
    assert own >= wanted_files | {"scores/lfw view 2.parquet", "metrics/lfw view 2.json", "history.json", "checkpoint.txt"}
    assert not any(name.endswith(".safetensors") for name in own), "checkpoints are linked, never copied"


def test_epochs_arrive_one_by_one_whoever_copies_them(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=4)
    id = study.cells[0].stages["train"]
    keeping = MlflowSync(study, tracking_of(study.record, study.path))
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
    from grid.ledger.ledger import Resume

    folder = next(name for name in study.ledger.store.names(f"train/{id}") if name.startswith("000001-"))
    return Resume(folder, "", study.ledger.store, "", {"position": [2, 0]})


def test_points_that_were_written_before_a_crash_are_not_written_twice(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], epochs=6)
    tracking = tracking_of(study.record, study.path)
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
    keeping = MlflowSync(study, tracking_of(study.record, study.path))
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
    connect(tracking_of(study.record, study.path)).delete_tag(run, "facegrid.synced.train")
    before = history(study, "resnet34", "train_loss")
    attempt = study.ledger.begin("train", study.cells[0].stages["train"], {})
    for row in study.ledger.events("train", study.cells[0].stages["train"]):
        attempt.event({**row, "time": row["time"] + 500}, None)
    assert sync_pass(study.path).said == []
    assert history(study, "resnet34", "train_loss") == before
    assert sync_pass(study.path).writes == 0


def test_another_explanation_replaces_the_run(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=("gradcam",), images=2)
    old = sync_pass(study.path).runs
    marker = study.cells[0].markers["explain:gradcam"]
    images = np.load(study.ledger.path(marker, "images.npy"))
    manifest = study.ledger.json(marker, "manifest.json")
    study.ledger.void("explain", marker.id, "to see what happens")
    attempt = study.ledger.begin("explain", marker.id, {})
    np.save(attempt.path / "images.npy", images[:1])
    np.save(attempt.path / "maps.npy", np.ones((1, 3, 3), np.float32))
    (attempt.path / "manifest.json").write_text(json.dumps(manifest | {"images": manifest["images"][:1]}))
    attempt.finish({}, {}, "s", ["images.npy", "maps.npy", "manifest.json"])
    result = sync_pass(study.path)
    assert result.runs != old
    assert "explain:gradcam was computed again" in result.said[0]
    files = [
        path.name
        for path in (study.path.parent / "mlartifacts").rglob("*.png")
        if next(iter(result.runs.values())) in str(path)
    ]
    assert len(files) == 2, "one image, once under its own name and once in MLflow's grid"


def test_runs_are_found_page_by_page(new_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grid.tracking.runs.PAGE", 1)
    study = new_study(axes=AXES, protocols=(), explainers=())
    first = sync_pass(study.path)
    second = sync_pass(study.path)
    assert (second.runs, second.writes) == (first.runs, 0)


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


def test_a_conflicting_param_replaces_the_run_and_says_so(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    old = sync_pass(study.path).runs
    edit(study, lambda record: record["cells"][0]["levels"].update(detection="other"))
    result = sync_pass(study.path)
    changed = study.cells[0].id
    assert len(result.said) == 1
    assert "its param detection is 'none' and should be 'other'" in result.said[0]
    assert old[changed] in result.said[0]
    assert {cell for cell in old if old[cell] != result.runs[cell]} == {changed}
    assert runs(study)["resnet34 / other"].data.params["detection"] == "other"
    assert sync_pass(study.path).writes == 0


def test_a_moved_dataset_replaces_nothing(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    old = sync_pass(study.path).runs
    edit(study, lambda record: [cell["config"]["data"].update(root="/elsewhere") for cell in record["cells"]])
    result = sync_pass(study.path)
    assert result.runs == old
    assert result.said == []
    assert runs(study)["resnet34 / none"].data.tags["facegrid.location.data.root"] == "/elsewhere"


def test_a_failed_cell_says_why_and_finishes_when_it_is_retried(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, failed=[{}], protocols=(), explainers=(), error="OSError: disk full")
    first = sync_pass(study.path)
    run = runs(study)["resnet34"]
    assert run.info.status == "FAILED"
    assert "disk full" in run.data.tags["facegrid.error"]
    assert run.data.tags["facegrid.attempts.train"] == "2"
    traces = list((study.path.parent / "mlartifacts" / run.info.run_id).rglob("failures/train-000002.txt"))
    assert "Traceback" in traces[0].read_text()
    id = study.cells[0].stages["train"]
    study.ledger.forgive("train", id)
    sync_pass(study.path)
    assert runs(study)["resnet34"].info.status == "RUNNING"
    attempt = study.ledger.begin("train", id, {})
    epoch(attempt, 0, 0.5, 1_800_000_000.0)
    (attempt.path / "history.json").write_text(json.dumps([{"epoch": 0, "train_loss": 0.5, "validation_loss": 0.5, "lr": 0.1}]))
    attempt.finish({"epochs": 1}, {}, "s", ["history.json"])
    result = sync_pass(study.path)
    run = runs(study)["resnet34"]
    assert result.runs == first.runs
    assert run.info.status == "FINISHED"
    assert "facegrid.error" not in run.data.tags
    assert run.data.tags["facegrid.attempts.train"] == "3"
    assert run.data.metrics["Learning curves/train_loss"] == 0.5
    assert sync_pass(study.path).writes == 0


def test_a_hidden_cell_keeps_its_run_and_a_skipped_one_has_none(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=(), hidden=[{"detection": "mtcnn"}])
    sync_pass(study.path)
    found = {name: run.data.tags["facegrid.hidden"] for name, run in runs(study).items()}
    assert found == {"resnet34 / none": "false", "resnet34 / mtcnn": "true"}
    study = new_study("other", axes=AXES, pairs=40, explainers=(), skipped=[{"detection": "mtcnn"}])
    assert len(sync_pass(study.path).runs) == 1


def test_freed_events_are_read_from_the_history(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), epochs=3)
    cell = study.cells[0]
    wanted = study.ledger.events("train", cell.stages["train"])
    marker = cell.markers["train"]
    study.ledger.store.delete(f"train/{marker.id}/{marker.attempt}/events")
    assert sync_pass(study.path).problems == []
    got = history(study, "resnet34", "validation_loss")
    assert got == [(row["epoch"] + 1, row["validation_loss"], round(row["time"] * 1000)) for row in wanted]


def test_duplicates_are_deleted_and_said(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    first = sync_pass(study.path)
    run = runs(study)["resnet34"]
    client = connect(first.tracking)
    tags = {key: run.data.tags[key] for key in ("facegrid.study", "facegrid.cell", "facegrid.kind")}
    client.create_run(first.experiment_id, run.info.start_time + 5, tags, "resnet34")
    result = sync_pass(study.path)
    assert result.runs == first.runs
    assert len(result.said) == 1
    assert "2 runs" in result.said[0]
    assert len(runs(study)) == 1


def test_a_damaged_output_is_a_problem_of_its_stage_alone(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, pairs=40, explainers=())
    marker = study.cells[0].markers["evaluate:lfw view 2"]
    path = study.ledger.store.local(f"evaluate/{marker.id}/{marker.attempt}/metrics.json")
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    result = sync_pass(study.path)
    assert len(result.problems) == 1
    assert "metrics.json" in result.problems[0]
    assert not result.unreachable
    assert "lfw view 2/auc" not in runs(study)["resnet34"].data.metrics
    path.write_bytes(good)
    assert sync_pass(study.path).problems == []
    assert "lfw view 2/auc" in runs(study)["resnet34"].data.metrics


def test_a_deleted_experiment_comes_back_and_another_study_of_that_name_gets_its_own(new_study: Make) -> None:
    small: Mapping[str, Any] = {"axes": {"backbone": ["resnet34"]}, "protocols": (), "explainers": ()}
    study = new_study(**small)
    first = sync_pass(study.path)
    client = connect(first.tracking)
    client.delete_experiment(first.experiment_id)
    assert sync_pass(study.path).runs == first.runs
    other = new_study("other", **small)
    edit(other, lambda record: record.update(grid="ito2021"))
    second = sync_pass(other.path)
    assert second.experiment == f"ito2021 ({other.id[:10]})"
    assert second.experiment_id != first.experiment_id


def test_a_file_that_is_no_database_is_a_problem_and_no_error(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    (study.path.parent / "mlflow.db").write_text("this is no database, " * 100)
    result = sync_pass(study.path)
    assert result.unreachable
    assert "mlflow.db" in result.problems[0]


def test_a_network_disk_needs_an_address(new_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    monkeypatch.setattr("grid.tracking.uri._network_disk", lambda path: "nfs4")
    with pytest.raises(BadInput, match=r"launch\.tracking.*nfs4"):
        sync_pass(study.path)
    assert tracking_of({"tracking": "http://server:5000"}, study.path) == "http://server:5000"
    with pytest.raises(BadInput, match="no longer"):
        tracking_of({"tracking": "./mlruns"}, study.path)
    with pytest.raises(BadInput, match="an address"):
        tracking_of({}, Path("/home/me/s3:/bucket/study"))


def test_labels_that_differ_in_signs_alone_keep_their_metrics_and_files_apart(new_study: Make) -> None:
    labels = ("test (a)", "test [a]", "test _a_")
    study = new_study(axes={"backbone": ["resnet34"], "width (px)": ["1"], "width [px]": ["2"]}, pairs=40, protocols=labels)
    first = sync_pass(study.path)
    assert first.problems == []
    run = runs(study)["resnet34 / 1 / 2"]
    assert sorted(value for key, value in run.data.params.items() if key.startswith("width")) == ["1", "2"]
    accuracies = {
        study.ledger.json(study.cells[0].markers[f"evaluate:{label}"], "metrics.json")["best_threshold"]["value"]
        for label in labels
    }
    found = {value for key, value in run.data.metrics.items() if key.endswith("/accuracy_best_threshold")}
    assert (len(accuracies), found) == (3, accuracies)
    assert len(list((study.path.parent / "mlartifacts" / run.info.run_id).rglob("metrics/*.json"))) == 3
    second = sync_pass(study.path)
    assert (second.runs, second.said, second.writes) == (first.runs, [], 0)


def test_keys_are_those_that_old_servers_take(new_study: Make) -> None:
    """MLflow 2.9 and 2.15 refuse a run's whole batch for one colon."""
    study = new_study(axes={"backbone": ["resnet34"]}, pairs=40, images=2, protocols=("a:b (c)",), failed=[])
    sync_pass(study.path)
    run = runs(study)["resnet34"]
    keys = [*run.data.params, *run.data.metrics, *run.data.tags]
    assert [key for key in keys if not re.fullmatch(r"[/\w.\- ]*", key)] == []


def test_a_cell_whose_pretraining_began_first_keeps_its_run_when_it_trains(new_study: Make) -> None:
    """The images of the training are known once it begins; a run that names others before would have to be replaced."""
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], protocols=(), explainers=())
    train = study.cells[0].stages["train"]
    study.ledger.store.delete(f"train/{train}")

    def pretrains(record: dict[str, Any]) -> None:
        record["cells"][0]["stages"]["pretrain"] = "p" * 32
        record["stages"].append({"id": "p" * 32, "stage": "pretrain", "label": "pretrain"})

    edit(study, pretrains)
    study.ledger.begin("pretrain", "p" * 32, {"images": "images of the pretraining"})
    first = sync_pass(study.path)
    assert list(first.runs) == [study.cells[0].id]
    assert runs(study)["resnet34"].inputs.dataset_inputs == []
    study.ledger.begin("train", train, {"images": "i" * 64})
    second = sync_pass(study.path)
    assert (second.runs, second.said) == (first.runs, [])
    assert [one.dataset.digest for one in runs(study)["resnet34"].inputs.dataset_inputs] == ["i" * 36]


def test_a_copied_study_leaves_the_runs_of_the_original_alone(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    edit(study, lambda record: record.update(home=home_of(study.path)))
    first = sync_pass(study.path)
    copy = Path(shutil.copytree(study.path, study.path.with_name("copy")))
    assert own_identity(copy) is not None
    edit(Study(copy), lambda record: record.update(hidden=record["cells"][1:], cells=record["cells"][:1]))
    second = sync_pass(copy)
    assert second.experiment_id != first.experiment_id
    assert not set(second.runs.values()) & set(first.runs.values())
    assert (sync_pass(study.path).runs, sync_pass(study.path).writes) == (first.runs, 0)
    client = connect(tracking_of(study.record, study.path))
    assert {client.get_run(run).data.tags["facegrid.hidden"] for run in first.runs.values()} == {"false"}


def thorough(study: Study) -> Any:
    return sync_pass(study.path, report=True, thorough=True)


def test_a_metric_that_somebody_changed_replaces_the_run(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    old = sync_pass(study.path).runs
    run = runs(study)["resnet34 / none"].info.run_id
    client = connect(tracking_of(study.record, study.path))
    client.log_metric(run, "lfw view 2/auc", 0.123)
    result = sync_pass(study.path)
    assert len(result.said) == 1
    assert "its lfw view 2/auc is 0.123 and should be " in result.said[0]
    assert {cell for cell in old if old[cell] != result.runs[cell]} == {cell for cell, id in old.items() if id == run}
    assert runs(study)["resnet34 / none"].data.metrics["lfw view 2/auc"] != 0.123
    assert sync_pass(study.path).writes == 0


@pytest.mark.parametrize("step", [1, 99])
def test_a_point_that_somebody_added_to_a_learning_curve_is_found_by_a_thorough_pass(new_study: Make, step: int) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=(), epochs=3)
    sync_pass(study.path)
    wanted = history(study, "resnet34", "train_loss")
    client = connect(tracking_of(study.record, study.path))
    client.log_metric(runs(study)["resnet34"].info.run_id, "Learning curves/train_loss", 0.5, step=step)
    result = thorough(study)
    assert len(result.said) == 1
    assert history(study, "resnet34", "train_loss") == wanted
    assert thorough(study).writes == 0


@pytest.mark.parametrize(
    "lost", ["explanations/gradcam/00.png", "metrics/lfw view 2.json", "config.json", "files.json", "history.json", "images"]
)
def test_files_that_somebody_deleted_are_copied_again(new_study: Make, lost: str) -> None:
    study = new_study(axes=AXES, pairs=40, images=2, explainers=("gradcam",))
    old = thorough(study)
    run = runs(study)["resnet34 / mtcnn"].info.run_id
    before = artifacts(study, run)
    (path,) = (path for path in (study.path.parent / "mlartifacts").rglob(lost) if run in str(path))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert artifacts(study, run) != before
    result = thorough(study)
    assert (result.runs, result.said, result.problems) == (old.runs, [], [])
    assert artifacts(study, run) == before
    assert thorough(study).writes == 0


def artifacts(study: Study, run: str) -> dict[str, bytes]:
    files = [path for path in (study.path.parent / "mlartifacts").rglob("*") if path.is_file() and run in str(path)]
    return {str(path).partition("/artifacts/")[2]: path.read_bytes() for path in files}


def test_a_truncated_file_and_a_lost_one_of_the_report_are_copied_again(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, pairs=40, explainers=())
    (study.path / "report").mkdir()
    (study.path / "report" / "index.html").write_text("<p>")
    first = thorough(study)
    assert first.report
    before = artifacts(study, first.report), artifacts(study, first.runs[study.cells[0].id or ""])
    for name in ("report/index.html", "scores/lfw view 2.parquet"):
        (path,) = (study.path.parent / "mlartifacts").rglob(name)
        path.write_bytes(path.read_bytes()[:-1])
    assert thorough(study).said == []
    assert (artifacts(study, first.report), artifacts(study, first.runs[study.cells[0].id or ""])) == before
    assert thorough(study).writes == 0


def test_files_of_others_in_a_run_are_left_alone(new_study: Make, tmp_path: Path) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    run = next(iter(thorough(study).runs.values()))
    (tmp_path / "mine.txt").write_text("mine")
    connect(tracking_of(study.record, study.path)).log_artifact(run, str(tmp_path / "mine.txt"))
    assert thorough(study).writes == 0
    assert "mine.txt" in artifacts(study, run)


def test_the_pages_of_mlflow_say_what_a_run_is_and_open_with_factors_and_results(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=400, explainers=())
    (study.path / "report").mkdir()
    (study.path / "report" / "index.html").write_text("<p>")
    result = sync_pass(study.path, report=True)
    found = runs(study)
    note = found["resnet34 / mtcnn"].data.tags["mlflow.note.content"]
    assert "backbone=resnet34, detection=mtcnn" in note
    accuracy = 100 * found["resnet34 / mtcnn"].data.metrics["lfw view 2/accuracy_ten_fold"]
    assert f"| Accuracy, 10-fold | {accuracy:.2f} % | [" in note
    tags = connect(tracking_of(study.record, study.path)).get_experiment(result.experiment_id).tags
    assert "| detection | none, mtcnn |" in tags["mlflow.note.content"]
    view = json.loads(tags["mlflow.sharedViewState.facegrid"])
    assert view["selectedColumns"][:2] == ["params.`backbone`", "params.`detection`"]
    assert "metrics.`lfw view 2/eer`" in view["selectedColumns"]
    assert view["orderByKey"] == "metrics.`lfw view 2/accuracy_ten_fold`"
    listed = json.loads(tags["mlflow.sharedViewState.facegrid-view"])
    assert listed["name"] == "Factors and results"
    assert json.loads(listed["state"]) == view
    assert isinstance(listed["createdAt"], int)
    assert found["report"].info.start_time < min(run.info.start_time for name, run in found.items() if name != "report"), (
        "MLflow lists the newest run first"
    )


def test_a_description_that_somebody_wrote_stays(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], protocols=(), explainers=())
    first = sync_pass(study.path)
    run = next(iter(first.runs.values()))
    client = connect(tracking_of(study.record, study.path))
    client.set_tag(run, "mlflow.note.content", "mine")
    client.set_experiment_tag(first.experiment_id, "mlflow.note.content", "mine too")
    train = study.cells[0].stages["train"]
    study.ledger.begin("train", train, {}).fail("RuntimeError: no", "", True)
    sync_pass(study.path)
    assert client.get_run(run).info.status == "FAILED"
    assert client.get_run(run).data.tags["mlflow.note.content"] == "mine"
    assert client.get_experiment(first.experiment_id).tags["mlflow.note.content"] == "mine too"


def test_a_run_of_an_earlier_layout_is_replaced_once(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, protocols=(), explainers=())
    run = next(iter(sync_pass(study.path).runs.values()))
    connect(tracking_of(study.record, study.path)).delete_tag(run, "facegrid.layout")
    assert "another version of facegrid wrote it" in sync_pass(study.path).said[0]
    assert sync_pass(study.path).writes == 0
