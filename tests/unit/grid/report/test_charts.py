import numpy as np
import pytest

from grid.report import charts
from grid.report.page import common
from grid.results import rows


def test_the_color_is_the_network_and_the_dashes_are_the_rest(make_study):
    found = rows.table(make_study(pairs=60, explainers=()))
    strokes = charts.strokes(found)
    for row, stroke in zip(found.rows, strokes, strict=True):
        assert stroke.hue == ["alexnet", "resnet34", "efficientnet_b1"].index(row.cell.levels["backbone"])
    assert len(set(strokes)) == 12
    assert strokes[-1].dash == ""


def test_points_run_upwards_in_the_frame():
    frame = charts.Frame(100, 50, 10, 5)
    assert frame.points(np.array([[0, 0], [1, 1]])) == "10.0,55.0 110.0,5.0"


def test_a_whisker_is_an_interval_on_the_scale_that_is_printed(make_study):
    found = rows.table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=200, explainers=()))
    forest = charts.forest(found, "lfw view 2")
    start, end = (float(text.removesuffix(" %")) / 100 for text in (forest.start, forest.end))
    for number, row in enumerate(found.rows):
        accuracy = row.metrics["lfw view 2"]["ten_fold"]
        whisker = forest.whiskers[number]
        for key in ("low", "value", "high"):
            assert start + getattr(whisker, key) / 100 * (end - start) == pytest.approx(accuracy[key], abs=1e-4)


def test_common_settings_are_those_that_all_cells_have():
    one = {"seed": 0, "recipe": {"name": "plateau", "lr": 0.1}, "input": {"size": 96}}
    two = {"seed": 1, "recipe": {"name": "plateau", "momentum": 0.9}, "input": {"size": 96}}
    assert common([one, two]) == [("recipe.name", "plateau"), ("input.size", "96")]
    assert common([]) == []
