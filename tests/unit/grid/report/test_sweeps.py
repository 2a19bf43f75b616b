"""Sweeps in the report: one table and one figure, not a section per protocol."""

import json
import re
import shutil

import pytest
from invented_study import build_study

from grid.ledger.study import Study
from grid.report import console
from grid.report.build import build
from grid.report.sweeps import columns_of, sweep_lines, sweeps_markdown
from grid.results import rows

TITLES = {10: "lfw jpeg quality 10", 90: "lfw jpeg quality 90"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tests only read it and its ``page``."""
    found = build_study(
        tmp_path_factory.mktemp("swept") / "ito2021",
        axes={"backbone": ["alexnet", "resnet34"]},
        pairs=200,
        protocols=["lfw", *TITLES.values()],
        explainers=(),
    )
    record = json.loads((found.path / "plan.json").read_text())
    for cell in record["cells"]:
        for protocol, value in zip(cell["config"]["protocols"][1:], TITLES, strict=True):
            protocol["sweep_point"] = {"of": "lfw", "key": "jpeg.quality", "value": value}
    (found.path / "plan.json").write_text(json.dumps(record))
    return Study(found.path)


@pytest.fixture(scope="module")
def page(study):
    return build(study)


def test_a_line_per_cell_and_value_begins_with_the_unchanged_images(study):
    table = rows.table(study)
    (sweep,) = table.sweeps
    lines = list(sweep_lines(table, sweep))
    assert [(row.cell.levels["backbone"], text) for row, text, _ in lines] == [
        (backbone, text) for backbone in ("alexnet", "resnet34") for text in ("unchanged", "10", "90")
    ]
    place = [column.key for column in columns_of(table, sweep)].index("eer")
    assert lines[1][2][place].value == table.rows[0].metrics["lfw jpeg quality 10"]["eer"]["value"]
    assert "val:0.001" not in [column.key for column in columns_of(table, sweep)]  # 100 impostor pairs cannot show it


def test_markdown_has_one_table_with_intervals_per_sweep(study):
    text = sweeps_markdown(rows.table(study), study.name)
    assert text.count("\n## ") == 1
    body = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert len(body) == 8
    assert len({len(line) for line in body}) == 1
    assert re.fullmatch(r"\d+\.\d\d \[\d+\.\d\d, \d+\.\d\d\]", body[2][2])


def test_the_report_has_the_table_and_the_figure_once(page):
    text = page.read_text()
    assert text.count('id="sweeps"') == 1
    assert text.count("<h2>ROC and DET curves on") == 1  # of the unchanged images alone
    assert "lfw jpeg quality 10" not in (page.parent / "table.md").read_text()
    assert "lfw jpeg quality 10:eer" in (page.parent / "table.csv").read_text().splitlines()[0]
    assert (page.parent / "trend-lfw-by-jpeg-quality.png").read_bytes().startswith(b"\x89PNG")
    assert (page.parent / "sweeps.md").is_file()


def test_files_of_a_sweep_that_left_the_grid_are_removed(make_study, page, tmp_path):
    folder = shutil.copytree(page.parent, tmp_path / "report")
    build(make_study(axes={"backbone": ["alexnet"]}, pairs=60, protocols=["lfw"], explainers=()), folder)
    assert not (folder / "sweeps.md").exists()
    assert not (folder / "trend-lfw-by-jpeg-quality.png").exists()


def test_the_terminal_shows_the_sweep_below_the_table(study, capsys):
    from rich.console import Console

    Console(width=100).print(console.table(study))
    text = capsys.readouterr().out
    assert "lfw by jpeg quality" in text
    assert "lfw jpeg quality 10" not in text
    assert re.search(r"backbone=alexnet +unchanged", text)
