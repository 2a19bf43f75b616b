import numpy as np
import pytest

from grid.ledger.study import Study
from grid.report import curves
from grid.results import rows


def test_a_thinned_curve_keeps_its_ends_and_strays_by_less_than_a_step():
    generator = np.random.default_rng(0)
    x, y = (np.sort(generator.uniform(size=20_000)) ** power for power in (3, 0.3))
    kept = curves.thin(x, y, step=0.01)
    assert len(kept) <= 4 / 0.01 + 2
    assert kept[0].tolist() == [x[0], y[0]]
    assert kept[-1].tolist() == [x[-1], y[-1]]
    for point in np.stack([x, y], axis=1)[::37]:
        assert np.abs(kept - point).max(axis=1).min() <= 0.01
    assert {tuple(point) for point in kept} <= set(zip(x, y, strict=True))  # nothing is invented


def test_a_short_curve_loses_nothing_but_repeats():
    points = curves.thin(np.array([0, 0, 0.5, 1]), np.array([0, 0.5, 0.5, 1]))
    assert points.tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [1, 1]]


def test_the_log_axis_runs_from_its_first_decade_to_one():
    assert curves.logarithmic(np.array([0, 1e-9, 1e-3, 1e-2, 1]), 3).tolist() == pytest.approx([0, 0, 0, 1 / 3, 1])


def test_the_drawn_curve_is_that_of_the_scores(make_study):
    import pyarrow.parquet

    study = make_study(axes={"backbone": ["alexnet"]}, pairs=100, explainers=())
    row = rows.table(study).rows[0]
    path = study.ledger.path(row.markers["evaluate:lfw view 2"], "scores.parquet")
    scores = pyarrow.parquet.read_table(path).to_pydict()
    (curve,) = curves.overlay(study, [row], "lfw view 2").curves
    score, same = np.array(scores["score"]), np.array(scores["same"])
    naive = {(float((score >= t)[~same].mean()), float((score >= t)[same].mean())) for t in [*score, np.inf]}
    assert {tuple(point) for point in curve.linear.tolist()} <= naive
    area = np.trapezoid(curve.linear[:, 1], curve.linear[:, 0])
    assert area == pytest.approx(row.metrics["lfw view 2"]["auc"]["value"], abs=1e-9)


def test_a_history_is_there_while_the_training_runs(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60, epochs=4)
    found = rows.table(study).rows
    assert [len(curves.history(study, row)) for row in found] == [4, 2]


def test_a_damaged_history_is_told_by_its_events(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, epochs=4)
    path = study.ledger.path(study.cells[0].markers["train"], "history.json")
    path.write_text("[]")
    (row,) = rows.table(Study(study.path)).rows
    assert row.state == "unfinished"
    assert len(curves.history(study, row)) == 4
