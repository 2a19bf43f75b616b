"""The long table says what the files of the stages say, each number once."""

import json
import math

import pytest

from grid.ledger.study import Study
from grid.results.combinations import mean_entry
from grid.results.measured import measured
from grid.results.result import COLUMNS, Result
from grid.results.results import results
from grid.spec.grid_file import BadInput

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "replicate": ["0", "1"]}


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=60, explainers=(), protocols=("one", "two"))


def test_a_line_per_cell_protocol_and_metric_with_the_numbers_of_the_files(study):
    found = results(study)
    for cell in study.cells:
        for protocol in ("one", "two"):
            metrics = study.ledger.json(cell.markers[f"evaluate:{protocol}"], "metrics.json")
            for key in ("ten_fold", "best_threshold", "eer", "auc"):
                (line,) = found.where(cell=cell.id, protocol=protocol, metric=key)
                entry = metrics[key]
                assert (line.value, line.low, line.high, line.interval) == tuple(
                    entry[name] for name in ("value", "low", "high", "method")
                )
                assert (line.n, line.split, line.stage) == (60, "test", "evaluate")
    assert found.where(metric="ten_fold").rows[0].se is not None


def test_the_replicate_is_a_column_and_no_factor(study):
    found = results(study)
    assert found.axes == ("backbone", "detection")
    assert found.columns[:4] == ("cell", "backbone", "detection", "replicate")
    lines = found.where(backbone="alexnet", detection="none", protocol="one", metric="eer").rows
    assert [line.replicate for line in lines] == [0, 1]
    assert all("replicate" not in line.factors for line in lines)


def test_without_replicates_the_column_is_empty(make_study):
    found = results(make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=()))
    assert {line.replicate for line in found} == {None}


def test_trainings_have_validation_numbers_and_every_stage_its_duration(study):
    found = results(study)
    cell = study.cells[0]
    facts = cell.markers["train"].facts
    (loss,) = found.where(cell=cell.id, stage="train", split="validation", metric="loss")
    assert (loss.value, loss.n) == (facts["validation_loss"], facts["validation_images"])
    for cell in study.cells:
        assert len(found.where(cell=cell.id, metric="seconds")) == len(cell.stages)


def test_a_shared_stage_is_charged_once(study):
    """Detections serve several cells: their lines have one stage id."""
    found = results(study)
    lines = found.where(stage="detect", metric="seconds")
    assert len({line.stage_id for line in lines}) < len(lines)
    markers = {marker.id: marker for cell in study.cells for marker in cell.markers.values()}
    assert found.seconds == pytest.approx(sum(marker.finished - marker.started for marker in markers.values()))


def test_a_number_that_could_not_be_computed_has_a_reason(study):
    line = results(study).where(metric="val:0.001").rows[0]
    assert line.value is None
    assert "cannot show" in line.reason


def test_a_data_frame_has_the_same_lines(study):
    found = results(study)
    frame = found.to_pandas()
    assert list(frame.columns) == list(found.columns)
    assert len(frame) == len(found)
    means = frame[(frame.metric == "eer") & (frame.protocol == "one")].groupby("backbone").value.mean()
    naive = [line.value for line in found.where(metric="eer", protocol="one", backbone="alexnet")]
    assert means["alexnet"] == pytest.approx(sum(naive) / len(naive))


def test_an_axis_that_is_called_like_a_column_keeps_its_own(make_study):
    study = make_study(axes={"value": ["a", "b"], "metric": ["c"]}, pairs=60, explainers=())
    found = results(study)
    assert found.columns[:3] == ("cell", "factor.value", "factor.metric")
    assert len(set(found.columns)) == len(found.columns) == len(COLUMNS) + 2
    assert set(found.to_pandas()["factor.value"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"metrik": "eer"}, "no column 'metrik'; there are backbone, detection, cell"),
        ({"metric": "err"}, "no line has metric 'err'; there are .*'eer'"),
        ({"backbone": ["alexnet", "vgg"]}, "no line has backbone 'vgg'; there are 'alexnet', 'resnet34'"),
    ],
)
def test_an_unknown_condition_is_one_line_that_says_what_there_is(study, conditions, message):
    with pytest.raises(BadInput, match=message) as error:
        results(study).where(**conditions)
    assert "\n" not in str(error.value)


def test_damaged_and_unfinished_stages_have_no_lines(make_study):
    study = make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60, explainers=()
    )
    path = study.ledger.path(study.cells[0].markers["evaluate:lfw view 2"], "metrics.json")
    path.write_text("{")
    found = results(Study(study.path))
    assert {line.stage for line in found} == {"train"}


def test_the_metrics_of_an_unknown_task_are_lines_too(make_study):
    """Every entry with a value, by the path to it."""
    from grid.results.measured import measured, started

    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    cell = study.cells[0]
    start = started(cell, next(name for name in cell.names if name.kind == "evaluate"))
    metrics = {"task": "own.retrieval", "images": 7, "map": {"value": 0.5, "low": 0.4, "high": 0.6, "method": "jackknife"},
               "recall": {"1": {"value": 0.25}}}  # fmt: skip
    lines = list(measured(json.loads(json.dumps(metrics)), start))
    assert [(line.metric, line.value, line.interval, line.n) for line in lines] == [
        ("map", 0.5, "jackknife", 7),
        ("recall:1", 0.25, None, 7),
    ]


def test_a_training_on_several_targets_has_a_line_for_each_number_of_classes(study):
    from dataclasses import replace

    from grid.results.measured import results_of

    cell = study.cells[0]
    marker = replace(cell.markers["train"], facts={**cell.markers["train"].facts, "classes": {"identity": 6, "gender": 2}})
    lines = {line.metric: line.value for line in results_of(study.ledger, cell, {"train": marker})}
    assert (lines["classes_identity"], lines["classes_gender"]) == (6, 2)
    assert "classes" not in lines


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_absent(value):
    (one,) = measured({"rank": {"1": {"value": value, "low": 0.5, "high": value}}}, Result("c", {}, 0, "evaluate", "", None))
    assert (one.metric, one.value, one.low, one.high, one.reason) == ("rank:1", None, 0.5, None, "not a finite number")
    assert mean_entry([{"value": value}, {"value": 1.0}, {"value": 2.0}]) == {"value": 1.5}
