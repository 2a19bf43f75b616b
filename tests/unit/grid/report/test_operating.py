"""Operating points in the report: numbers, marks, and none where there are none."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from invented_study import build_study

from grid.report.build import build
from grid.report.operating import boards
from grid.results.rows import table

AXES = {"backbone": ["alexnet", "resnet34"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tests only read it and its ``page``."""
    return build_study(tmp_path_factory.mktemp("operating") / "ito2021", axes=AXES, pairs=200, explainers=())


@pytest.fixture(scope="module")
def page(study):
    return build(study)


def test_the_tables_are_those_of_the_metrics(study):
    rows = table(study)
    found = boards(rows)
    assert [one.target for one in found] == ["10 %", "1 %", "0.1 %"]
    for board, key in zip(found, ("0.1", "0.01", "0.001"), strict=True):
        for row, fields in ((line.row, line.fields) for line in board.lines):
            metrics = row.metrics["lfw view 2"]
            point = metrics["operating_points"][key]
            assert fields[1][0] == f"{100 * point['fmr']['value']:.2f}"
            assert fields[2] == (f"{100 * point['fnmr']['value']:.2f}",
                                 f"[{100 * point['fnmr']['low']:.2f}, {100 * point['fnmr']['high']:.2f}]")  # fmt: skip
            assert fields[5][0] == f"{100 * metrics['failure_to_enroll']['value']:.2f}" == "6.00"


def test_what_rests_on_too_few_pairs_is_marked(study):
    marks = {board.target: {line.fields[0][0][-1] for line in board.lines} for board in boards(table(study))}
    assert marks["10 %"] == {"*"}  # about 36 of 100 impostor pairs
    assert marks["0.1 %"] == {"†"}


def test_page_and_file_have_them_and_older_evaluations_do_without(study, page):
    assert 'id="operating"' in page.read_text()
    assert page.with_name("operating_points.md").read_text().count("\n## ") == 3
    rows = table(study)
    older = tuple(replace(row, metrics={"lfw view 2": {}}) for row in rows.rows)
    assert boards(replace(rows, rows=older)) == []


def test_the_files_for_statistics_and_papers_have_the_metrics(study, page):
    found = table(study)
    lines = list(csv.DictReader(page.with_name("operating_points.csv").open(encoding="utf-8")))
    assert [float(line["target_fmr"]) for line in lines] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    for line in lines:
        row = next(row for row in found.rows if row.cell.id == line["cell"])
        metrics = row.metrics["lfw view 2"]
        point = next(one for key, one in metrics["operating_points"].items() if float(key) == float(line["target_fmr"]))
        assert (line["levels"], line["support"]) == (row.title, point["support"])
        assert float(line["threshold"]) == point["threshold"]
        for rate in ("fmr", "fnmr", "fmr_with_failures", "fnmr_with_failures"):
            assert [float(line[f"{rate}{end}"]) for end in ("", "_low", "_high")] == [
                point[rate][key] for key in ("value", "low", "high")
            ]
        assert float(line["failure_to_enroll"]) == metrics["failure_to_enroll"]["value"]
    text = page.with_name("operating_points.tex").read_text(encoding="utf-8")
    body = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(body) == 3 * (1 + 2)
    assert {line.count(" & ") for line in body} == {6}
    assert text.count("\\begin{tabular}{lrrrrrr}") == text.count("\\end{tabular}") == text.count("\\bottomrule") == 3
    for board in boards(found):
        for fields in (line.fields for line in board.lines):
            assert fields[2][0] in text


def test_the_file_of_a_protocol_that_left_the_grid_is_removed(make_study, page, tmp_path):
    folder = shutil.copytree(page.parent, tmp_path / "report")
    assert (folder / "operating_points.md").exists()
    build(make_study(axes=AXES, protocols=(), explainers=()), folder)
    assert not (folder / "operating_points.md").exists()


def test_replicates_are_one_line_of_means(tmp_path):
    study = build_study(
        tmp_path / "seeds", axes={"detection": ["none", "mtcnn"], "replicate": ["0", "1", "2"]}, pairs=200, explainers=()
    )
    rows = table(study)
    board = boards(rows)[0]
    assert [line.title for line in board.lines] == ["detection=none (3 replicates)", "detection=mtcnn (3 replicates)"]
    for line in board.lines:
        own = [row.metrics["lfw view 2"] for row in rows.rows if row.cell.levels["detection"] == line.levels["detection"]]
        points = [metrics["operating_points"]["0.1"] for metrics in own]
        assert len(points) == 3
        value, low, high = (100 * float(np.mean([point["fnmr"][key] for point in points])) for key in ("value", "low", "high"))
        assert line.fields[2] == (f"{value:.2f}", f"[{low:.2f}, {high:.2f}]")
        ends = min(point["lowest"] for point in points), max(point["highest"] for point in points)
        assert line.fields[0][1] == f"[{ends[0]:.3f}, {ends[1]:.3f}]"
    page = build(study).read_text()
    section = page.partition('id="operating"')[2].partition("</section>")[0]
    assert section.count('data-cells="0 1 2"') == section.count('data-cells="3 4 5"') == 3
    assert "3 replicates" in section
