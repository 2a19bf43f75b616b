"""Trends: what is drawn against what."""

import json
from dataclasses import replace

import pytest

from grid.ledger.study import Study
from grid.results import rows
from grid.results.trends import complexity, main_column, numeric_axes, trends


@pytest.fixture
def sizes(make_study):
    """Two networks x three embedding sizes."""
    axes = {"backbone": ["alexnet", "mobilenetv3_small"], "embedding": ["64", "128", "512"]}
    return make_study(axes=axes, pairs=600, explainers=())


def test_a_numeric_axis_is_a_trend_with_a_line_per_level_of_the_others(sizes):
    table = rows.table(sizes)
    assert numeric_axes(table) == ["embedding"]
    trend = next(one for one in trends(table) if one.quantity == "Embedding")
    assert trend.title == "lfw view 2 by Embedding"
    assert trend.logarithmic
    assert [line.name for line in trend.lines] == ["backbone alexnet", "backbone mobilenetv3_small"]
    assert [point.x for point in trend.lines[0].points] == [64, 128, 512]
    for line, backbone in zip(trend.lines, ("alexnet", "mobilenetv3_small"), strict=True):
        for point in line.points:
            (row,) = [one for one in table.rows if one.cell.levels == {"backbone": backbone, "embedding": point.text}]
            assert point.value == row.value(trend.column)


def test_replicates_and_single_levels_are_no_trend(make_study):
    axes = {"backbone": ["alexnet"], "replicate": ["0", "1"], "embedding": ["64"], "detection": ["none", "mtcnn"]}
    assert numeric_axes(rows.table(make_study(axes=axes, pairs=60, explainers=()))) == []


def test_networks_are_ordered_by_their_operations(sizes):
    table = rows.table(sizes)
    trend = next(one for one in trends(table) if not one.connected)
    assert trend.quantity == "MFLOPs per image"
    assert [line.name for line in trend.lines] == ["alexnet, 96 px", "mobilenetv3_small, 96 px"]
    larger, smaller = ({point.x for point in line.points} for line in trend.lines)
    assert min(larger) > max(smaller)
    assert [len(line.points) for line in trend.lines] == [3, 3]


def test_operations_are_those_of_the_network_and_unknown_without_its_module(sizes):
    from configs.lookup import resolve
    from modules.model_complexity import count

    config = rows.table(sizes).rows[0].cell.config
    parts = [resolve(kind, config[kind]) for kind in ("backbone", "head", "loss")]
    assert complexity(config).flops == count(*parts, 500, 96).flops
    assert complexity({**config, "backbone": {"name": "nowhere.net"}}) is None
    assert complexity({}) is None


def test_the_main_column_is_val_at_the_smallest_far_that_every_cell_shows(sizes):
    table = rows.table(sizes)
    assert main_column(table.columns, table.rows).key == "val:0.01"
    row = table.rows[0]
    without = [replace(one, value=None) if one.metric == "val:0.01" else one for one in row.results]
    rest = [*table.rows[1:], replace(row, results=tuple(without))]
    assert main_column(table.columns, rest).key == "val:0.1"
    plain = [column for column in table.columns if not column.key.startswith("val:")]
    assert main_column(plain, table.rows).key == "ten_fold"


def test_a_sweep_is_a_trend_of_its_cells(make_study):
    titles = {10: "lfw jpeg quality 10", 90: "lfw jpeg quality 90"}
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=600, protocols=list(titles.values()), explainers=())
    record = json.loads((study.path / "plan.json").read_text())
    for cell in record["cells"]:
        for protocol, value in zip(cell["config"]["protocols"], titles, strict=True):
            protocol["sweep_point"] = {"of": "lfw", "key": "jpeg.quality", "value": value}
    (study.path / "plan.json").write_text(json.dumps(record))
    table = rows.table(Study(study.path))
    (trend,) = trends(table)
    assert (trend.title, trend.quantity, trend.column.key) == ("lfw by jpeg quality", "jpeg quality", "val:0.01")
    assert [[point.text for point in line.points] for line in trend.lines] == [["10", "90"]] * 2
    expected = [row.metrics[title]["val"]["0.01"]["value"] for row in table.rows for title in titles.values()]
    assert [point.value.value for line in trend.lines for point in line.points] == expected
