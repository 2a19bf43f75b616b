"""A pass copies a study to MLflow: one run per cell, and nothing twice."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow_runs import AXES, Make, dump, edit, epoch, history, runs

from grid.ledger.study import Study
from grid.ledger.study_identity import home_of, own_identity
from grid.spec.grid_file import BadInput
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of, tracking_uri


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
    record = json.loads((study.path / "mlflow.json").read_text())
    assert (record["runs"], record["copied"]) == (first.runs, dict.fromkeys(first.runs, "done"))
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


def test_a_hidden_cell_keeps_its_run_but_gets_no_new_one_and_a_skipped_one_has_none(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    sync_pass(study.path)
    edit(study, lambda record: record.update(hidden=record["cells"][1:], cells=record["cells"][:1]))
    sync_pass(study.path)
    found = {name: run.data.tags["facegrid.hidden"] for name, run in runs(study).items()}
    assert found == {"resnet34 / none": "false", "resnet34 / mtcnn": "true"}
    connect(tracking_of(study)).delete_run(runs(study)["resnet34 / mtcnn"].info.run_id)
    assert len(sync_pass(study.path).runs) == 1
    assert set(runs(study)) == {"resnet34 / none"}
    study = new_study("other", axes=AXES, pairs=40, explainers=(), skipped=[{"detection": "mtcnn"}])
    assert len(sync_pass(study.path).runs) == 1


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
    assert tracking_uri("http://server:5000", study.path) == "http://server:5000"
    with pytest.raises(BadInput, match="no longer"):
        tracking_uri("./mlruns", study.path)
    with pytest.raises(BadInput, match="an address"):
        tracking_uri(None, Path("/home/me/s3:/bucket/study"))


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
    client = connect(tracking_of(study))
    assert {client.get_run(run).data.tags["facegrid.hidden"] for run in first.runs.values()} == {"false"}


def test_the_pages_of_mlflow_say_what_a_run_is_and_open_with_factors_and_results(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=400, explainers=())
    (study.path / "report").mkdir()
    (study.path / "report" / "index.html").write_text("<p>")
    result = sync_pass(study.path, report=True)
    found = runs(study)
    note = found["resnet34 / mtcnn"].data.tags["mlflow.note.content"]
    assert "backbone=resnet34, detection=mtcnn" in note
    accuracy = 100 * found["resnet34 / mtcnn"].data.metrics["lfw view 2/accuracy_ten_fold"]
    assert f"| Accuracy, cross-validated | {accuracy:.2f} % | [" in note
    tags = connect(tracking_of(study)).get_experiment(result.experiment_id).tags
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
