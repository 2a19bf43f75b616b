import dataclasses

import pytest

from grid.report.build import build
from grid.report.stage_times import times
from grid.results import rows


def test_a_shared_stage_is_counted_once_and_charged_to_no_cell(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"], "detection": ["mtcnn"]}, pairs=60, explainers=())
    table = rows.table(study)
    seconds = {"detect": 100.0, "train": 10.0, "evaluate": 1.0}
    timed = [
        dataclasses.replace(
            row,
            results=tuple(
                dataclasses.replace(one, value=seconds[one.stage]) if one.metric == "seconds" else one for one in row.results
            ),
        )
        for row in table.rows
    ]
    found = times(dataclasses.replace(table, rows=tuple(timed)))
    assert found.own == {cell.id: 11.0 for cell in study.cells}
    assert [(one.stage, one.cells, one.seconds) for one in found.shared] == [
        ("detect:data", 2, 100.0),
        ("detect:lfw view 2", 2, 100.0),
    ]
    assert found.total == 222.0  # it was 422 when each cell was charged for its detections


def test_a_stage_that_a_cell_has_under_two_labels_is_one_stage_of_one_cell(make_study):
    study = make_study(axes={"backbone": ["alexnet"], "detection": ["mtcnn"]}, pairs=60, explainers=())
    table = rows.table(study)
    (row,) = table.rows
    detections = [one for one in row.results if one.metric == "seconds" and one.stage == "detect"]
    twice = dataclasses.replace(row, results=(*row.results, detections[0]))
    found = times(dataclasses.replace(table, rows=(twice,)))
    assert found.shared == ()
    assert found.own[row.cell.id] == pytest.approx(found.total) == pytest.approx(times(table).total)


def test_the_page_names_shared_stages_and_a_cell_without_results_has_no_time(make_study):
    study = make_study(
        axes={"backbone": ["alexnet", "resnet34"], "detection": ["mtcnn"]}, unfinished=[{"backbone": "resnet34"}], pairs=60,
        explainers=(),
    )  # fmt: skip
    text = " ".join(build(study).read_text().split())
    assert "Stages that several cells share, each computed once: detect:data (2 cells)" in text
    assert times(rows.table(study)).own[study.cells[1].id] == 0.0
