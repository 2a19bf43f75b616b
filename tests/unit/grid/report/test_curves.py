import numpy as np

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


def test_the_scores_of_a_cell_are_those_of_its_evaluation(make_study):
    import pyarrow.parquet

    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=100)
    done, open_ = rows.table(study).rows
    path = study.ledger.path(done.markers["evaluate:lfw view 2"], "scores.parquet")
    table = pyarrow.parquet.read_table(path).to_pydict()
    scores, same = curves.pair_scores(study, done, "lfw view 2")
    assert (scores.tolist(), same.tolist()) == (table["score"], table["same"])
    assert curves.pair_scores(study, open_, "lfw view 2") is None
    assert [curves.has_scores(row, "lfw view 2") for row in (done, open_)] == [True, False]


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
