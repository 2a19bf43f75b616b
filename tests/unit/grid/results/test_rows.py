import hashlib
import json
from dataclasses import replace

import pytest

from grid.evaluation.task import known_task
from grid.ledger.study import Study
from grid.results import rows, status


def test_a_row_per_cell_in_the_order_of_the_plan(make_study):
    study = make_study(pairs=100, explainers=())
    found = rows.table(study)
    assert [dict(row.cell.levels) for row in found.rows] == [dict(cell.levels) for cell in study.cells]
    assert len(found.rows) == 12
    assert found.whole
    assert found.counts == {"done": 12}


def test_an_axis_of_two_levels_one_of_which_is_none_is_a_tick(make_study):
    found = rows.table(make_study(pairs=100, explainers=()))
    assert [(factor.title, factor.tick) for factor in found.factors] == [
        ("Network", None),
        ("Face detection", "mtcnn"),
        ("Pre-training", "imagenet"),
    ]


def test_an_axis_of_three_levels_is_spelled_out_even_with_none_among_them(make_study):
    axes = {"margin_size": ["none", "a", "b"], "two": ["x", "y"]}
    found = rows.table(make_study(axes=axes, pairs=60, explainers=()))
    assert [(factor.title, factor.tick) for factor in found.factors] == [("Margin size", None), ("Two", None)]


def test_values_and_intervals_are_those_of_the_metrics(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=200, explainers=())
    found = rows.table(study)
    marker = study.cells[0].markers["evaluate:lfw view 2"]
    metrics = study.ledger.json(marker, "metrics.json")
    columns = {column.key: column for column in found.columns}
    assert list(columns) == ["ten_fold", "best_threshold", "eer", "auc", "val:0.1", "val:0.01"]
    value = found.rows[0].value(columns["best_threshold"])
    assert (value.value, value.low, value.high) == tuple(metrics["best_threshold"][key] for key in ("value", "low", "high"))
    assert columns["best_threshold"].value(value) == f"{100 * metrics['best_threshold']['value']:.2f}"
    low, high = (100 * metrics["ten_fold"][key] for key in ("low", "high"))
    assert columns["ten_fold"].spread(found.rows[0].value(columns["ten_fold"])) == f"[{low:.2f}, {high:.2f}]"
    assert columns["auc"].value(found.rows[0].value(columns["auc"])) == f"{metrics['auc']['value']:.3f}"


def test_a_column_without_any_number_is_left_out_and_its_reason_is_kept(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=100, explainers=()))
    assert [column.key for column in found.columns] == ["ten_fold", "best_threshold", "eer", "auc", "val:0.1"]
    assert [reason.split(":")[0] for reason in found.left_out] == ["VAL @ 1 % on lfw view 2", "VAL @ 0.1 % on lfw view 2"]
    assert all("cannot show" in reason for reason in found.left_out)


def test_a_column_that_one_cell_can_fill_stays_and_the_other_cell_has_the_reason(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=100, explainers=())
    marker = study.cells[1].markers["evaluate:lfw view 2"]
    path = study.ledger.path(marker, "metrics.json")
    metrics = json.loads(path.read_text())
    metrics["val"]["0.01"] = {"value": 0.5, "low": 0.4, "high": 0.6}
    path.write_text(json.dumps(metrics))
    marker.outputs["metrics.json"].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
    found = rows.table(study)
    column = next(column for column in found.columns if column.key == "val:0.01")
    assert "cannot show" in found.rows[0].value(column).reason
    assert found.rows[1].value(column).value == 0.5


def test_a_protocol_without_any_result_keeps_its_columns(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet"]}, unfinished=[{}], pairs=60, explainers=()))
    assert [column.key for column in found.columns] == ["ten_fold", "best_threshold", "eer", "auc"]
    assert found.left_out == ()


def test_the_methods_of_the_intervals_are_named_with_their_columns(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=100, explainers=()))
    assert found.methods == [
        'Student\'s t, over folds ("Accuracy, cross-validated")',
        'Wilson, independent pairs ("Accuracy, best threshold")',
        "bootstrap, independent pairs (EER, VAL @ 10 %)",
        "DeLong, independent pairs (AUC)",
    ]


def test_cells_that_may_have_learned_nothing_or_diverged_are_named(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=100, explainers=()))
    assert found.doubts == []
    first, second = found.rows
    guessing = tuple(replace(one, low=0.49) if one.metric == "auc" else one for one in first.results)
    some = first.results[0]
    for error, doubts in ((30.0, ["backbone=resnet34 (30 against 20)"]), (20.0, [])):
        numbers = {"years:mae": error, "years:loss": error / 20}
        validation = tuple(replace(some, heading="targets", metric=key, value=value) for key, value in numbers.items())
        config = {"targets": {"years": {"loss": {"name": "regression", "form": "l1"}}}}
        changed = replace(second, cell=replace(second.cell, config=config), results=(*second.results, *validation))
        said = replace(found, rows=(replace(first, results=guessing), changed)).doubts
        assert said[0] == "on lfw view 2, the 95 % interval of the AUC reaches 0.5, the value of guessing: backbone=alexnet"
        assert [line.rpartition(": ")[2] for line in said[1:]] == doubts
    many = replace(found, rows=(replace(first, results=guessing),) * 12).doubts
    assert many[0].endswith("; backbone=alexnet; and 2 more")


def test_states_and_reasons_are_told_and_hidden_cells_counted(make_study):
    study = make_study(
        failed=[{"backbone": "alexnet", "detection": "none"}],
        unfinished=[{"backbone": "resnet34", "detection": "none"}],
        skipped=[{"backbone": "efficientnet_b1", "detection": "none"}],
        blocked=[{"backbone": "efficientnet_b1", "detection": "mtcnn"}],
        hidden=[{"backbone": "resnet34", "detection": "mtcnn"}],
        pairs=60,
        explainers=(),
    )
    found = rows.table(study)
    assert found.counts == {"done": 2, "unfinished": 2, "failed": 2, "blocked": 2, "skipped": 2}
    assert found.hidden == 2
    assert not found.whole
    reasons = {row.state: row.reason for row in found.rows}
    assert reasons["failed"] == "train: RuntimeError: the loss of batch 17 is NaN"
    assert reasons["unfinished"] == "still to run: train, evaluate:lfw view 2"
    assert reasons["skipped"] == reasons["blocked"] == "nobody published such weights"
    assert reasons["done"] is None


def test_a_damaged_output_makes_the_cell_unfinished_and_says_why(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=())
    cell = study.cells[0]
    marker = cell.markers["evaluate:lfw view 2"]
    path = study.ledger.path(marker, "scores.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    found = rows.table(Study(study.path))
    assert [row.state for row in found.rows] == ["unfinished", "done"]
    assert "scores.parquet was changed" in found.rows[0].reason
    assert found.rows[0].metrics == {}
    assert found.rows[0].value(found.columns[0]) is None


def test_missing_weights_are_damage_too(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    study.ledger.path(study.cells[0].markers["train"], "model.safetensors").unlink()
    row = rows.table(Study(study.path)).rows[0]
    assert row.state == "unfinished"
    assert "model.safetensors" in row.reason


def test_a_damaged_marker_makes_the_cell_unfinished(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    marker = study.cells[0].markers["evaluate:lfw view 2"]
    (study.ledger.store.local(f"evaluate/{marker.id}") / "done-000.json").write_text("{")
    assert rows.table(Study(study.path)).rows[0].state == "unfinished"


def test_several_protocols_have_columns_each(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet"]}, protocols=("one", "two"), pairs=60, explainers=()))
    assert found.protocols == ["one", "two"]
    assert len(found.columns) == 10  # the rates that 30 impostor pairs cannot show are left out


def test_a_study_of_one_cell_without_axes_has_a_table(make_study):
    found = rows.table(make_study(axes={}, pairs=60, explainers=()))
    assert found.factors == ()
    assert [row.title for row in found.rows] == ["the only cell"]


@pytest.mark.parametrize("folds", [[5, 5], [10], [5, 10], []])
def test_cross_validated_accuracy_has_one_name_for_any_number_of_folds(make_study, folds: list[int]) -> None:
    """That of ``facegrid status``, which shows protocols with different numbers of folds in one column."""
    found = [{"auc": {}, "ten_fold": {"folds": [0.5] * number}} for number in folds]
    measures = known_task("verification").measures(found)
    title = next(one for one in measures if one.key == "ten_fold").title
    assert title == "Accuracy, cross-validated"
    shown = status.show(make_study(axes={}, pairs=60, explainers=()))
    assert title in [" ".join(str(column.header).split()) for column in shown.table.columns]
