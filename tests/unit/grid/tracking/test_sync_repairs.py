"""What was changed, lost or doubled in MLflow is repaired, and what users wrote stays."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow_runs import AXES, Make, artifacts, edit, history, runs, thorough

from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of


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


def test_a_metric_that_somebody_changed_replaces_the_run(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, explainers=())
    old = sync_pass(study.path).runs
    run = runs(study)["resnet34 / none"].info.run_id
    client = connect(tracking_of(study))
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
    client = connect(tracking_of(study))
    client.log_metric(runs(study)["resnet34"].info.run_id, "Learning curves/train_loss", 0.5, step=step)
    result = thorough(study)
    assert len(result.said) == 1
    assert history(study, "resnet34", "train_loss") == wanted
    assert thorough(study).writes == 0


def test_files_that_somebody_deleted_are_copied_again(new_study: Make) -> None:
    study = new_study(axes=AXES, pairs=40, images=2, explainers=("gradcam",))
    old = thorough(study)
    run = runs(study)["resnet34 / mtcnn"].info.run_id
    before = artifacts(study, run)
    names = "explanations/gradcam/00.png", "metrics/lfw view 2.json", "config.json", "files.json", "history.json", "images"
    for lost in names:
        (path,) = (path for path in (study.path.parent / "mlartifacts").rglob(lost) if run in str(path))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert artifacts(study, run) != before, lost
        result = thorough(study)
        assert (result.runs, result.said, result.problems) == (old.runs, [], []), lost
        assert artifacts(study, run) == before, lost
    assert thorough(study).writes == 0


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
    connect(tracking_of(study)).log_artifact(run, str(tmp_path / "mine.txt"))
    assert thorough(study).writes == 0
    assert "mine.txt" in artifacts(study, run)


def test_a_description_that_somebody_wrote_stays(new_study: Make) -> None:
    study = new_study(axes={"backbone": ["resnet34"]}, unfinished=[{}], protocols=(), explainers=())
    first = sync_pass(study.path)
    run = next(iter(first.runs.values()))
    client = connect(tracking_of(study))
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
    connect(tracking_of(study)).delete_tag(run, "facegrid.layout")
    assert "another version of facegrid wrote it" in sync_pass(study.path).said[0]
    assert sync_pass(study.path).writes == 0
