"""Operating points in the report: numbers, marks, and none where there are none."""

import csv
import shutil
from dataclasses import replace

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
        for row, fields in board.rows:
            metrics = row.metrics["lfw view 2"]
            point = metrics["operating_points"][key]
            assert fields[1][0] == f"{100 * point['fmr']['value']:.2f}"
            assert fields[2] == (f"{100 * point['fnmr']['value']:.2f}",
                                 f"[{100 * point['fnmr']['low']:.2f}, {100 * point['fnmr']['high']:.2f}]")  # fmt: skip
            assert fields[5][0] == f"{100 * metrics['failure_to_enroll']['value']:.2f}" == "6.00"


def test_what_rests_on_too_few_pairs_is_marked(study):
    marks = {board.target: {fields[0][0][-1] for _, fields in board.rows} for board in boards(table(study))}
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
        for rate in ("fmr", "fnmr", "fnmr_with_failures", "fmr_with_failures"):
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
        for _, fields in board.rows:
            assert fields[2][0] in text


def test_the_file_of_a_protocol_that_left_the_grid_is_removed(make_study, page, tmp_path):
    folder = shutil.copytree(page.parent, tmp_path / "report")
    assert (folder / "operating_points.md").exists()
    build(make_study(axes=AXES, protocols=(), explainers=()), folder)
    assert not (folder / "operating_points.md").exists()
