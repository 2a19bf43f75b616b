"""The numbers inside the page are those of the table, the scores and the histories."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from grid.report.build import build
from grid.report.charts import strokes
from grid.report.curves import history
from grid.report.interactive.chart_data import chart_data
from grid.results import rows

LFW = "lfw view 2"
AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "replicate": ["0", "1"]}


def data_of(study):
    table = rows.table(study)
    found = chart_data(study, table, strokes(table), [history(study, row) for row in table.rows])
    return table, found and json.loads(found.text)


@pytest.fixture
def study(make_study):
    return make_study(
        axes=AXES, pairs=200, explainers=(), failed=[{"backbone": "alexnet", "detection": "mtcnn"}],
        unfinished=[{"backbone": "resnet34", "replicate": "1"}], epochs=4,
    )  # fmt: skip


def test_cells_and_factors_are_those_of_the_table(study):
    table, data = data_of(study)
    assert [cell["levels"] for cell in data["cells"]] == [dict(row.cell.levels) for row in table.rows]
    assert [(one["axis"], one["levels"]) for one in data["factors"]] == list(AXES.items())[:2]
    assert data["cells"][0]["name"] == "alexnet, none, 0"


def test_every_column_has_the_value_and_the_interval_of_each_row(study):
    table, data = data_of(study)
    assert [one["title"] for one in data["metrics"]] == [column.title for column in table.columns]
    assert [one["main"] for one in data["metrics"]] == [True] + [False] * (len(table.columns) - 1)
    for metric, column in zip(data["metrics"], table.columns, strict=True):
        for n, row in enumerate(table.rows):
            result = row.value(column)
            if result is None:
                assert metric["values"][n] is None
            else:
                shown = [metric[key][n] for key in ("values", "low", "high")]
                assert shown == pytest.approx([result.value, result.low, result.high], rel=1e-4)
    assert next(one for one in data["metrics"] if one["title"] == "EER")["lower"]


def test_rows_that_repeat_an_earlier_replicate_are_named(study):
    table = rows.table(study)
    first, second, *others = table.rows
    copied = replace(table, rows=(first, replace(first, cell=second.cell), *others))
    for shown, copies in ((table, {}), (copied, {"1": 0})):
        found = chart_data(study, shown, strokes(shown), [history(study, row) for row in shown.rows])
        assert [metric["copies"] for metric in json.loads(found.text)["metrics"]] == [copies] * len(table.columns)


def test_curves_and_histograms_are_of_the_cells_with_scores(study):
    table, data = data_of(study)
    found = data["curves"][LFW]
    assert list(found["cells"]) == [str(n) for n, row in enumerate(table.rows) if row.metrics]
    n, row = next((n, row) for n, row in enumerate(table.rows) if row.metrics)
    scores = pq.read_table(study.ledger.path(row.markers[f"evaluate:{LFW}"], "scores.parquet")).to_pandas()
    own, width = found["cells"][str(n)], np.diff(found["edges"])
    assert own["pairs"] == [100, 100]
    for kind, same in (("genuine", True), ("impostor", False)):
        counts, _ = np.histogram(scores.score[scores.same == same], len(width), (found["edges"][0], found["edges"][-1]))
        assert own[kind] == pytest.approx(counts / 100 / width, abs=0.2)  # a score may lie on a rounded edge
        assert np.dot(own[kind], width) == pytest.approx(1, abs=1e-3)


def test_a_training_has_every_quantity_of_its_epochs(study):
    table, data = data_of(study)
    assert set(data["histories"]) == {str(n) for n, row in enumerate(table.rows) if history(study, row)}
    first = data["histories"]["0"]
    assert set(first) == {"train_loss", "validation_loss", "validation_accuracy"}
    assert first["validation_loss"] == pytest.approx(
        [one["validation_loss"] for one in history(study, table.rows[0])], rel=1e-4
    )
    half = next(str(n) for n, row in enumerate(table.rows) if row.state == "unfinished")
    assert len(data["histories"][half]["train_loss"]) == 2


def test_numbers_that_are_not_finite_are_left_out(make_study):
    study = make_study(axes={}, unfinished=[{}], pairs=60)
    table = rows.table(study)
    epochs = [[{"epoch": 0, "train_loss": float("nan"), "validation_loss": 2.0}]]
    found = chart_data(study, table, strokes(table), epochs)
    data = json.loads(found.text)
    assert (found.protocols, found.curves, found.costs, found.histories) == ((), (), False, True)
    assert data["histories"] == {"0": {"validation_loss": [2.0]}}


def test_a_study_without_any_number_has_no_charts(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, failed=[{}], pairs=60)
    assert data_of(study)[1] is None


@pytest.mark.parametrize(("levels", "crossed"), [(["none"], False), (["none", "mtcnn"], True)])
def test_interactions_need_two_factors_that_vary(make_study, levels, crossed):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "detection": levels}, pairs=60, explainers=())
    table = rows.table(study)
    found = chart_data(study, table, strokes(table), [()] * len(table.rows))
    assert found is not None
    assert found.crossed is crossed
    assert ("<b>Interactions.</b>" in build(study).read_text(encoding="utf-8")) is crossed
