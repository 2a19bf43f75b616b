"""Pictures of very many cells: the best and those asked for, within a budget, and the page says what is left out."""

import json
import re

import pytest

from grid.report import pictured as budget
from grid.report.build import build
from grid.report.pictured import pictured
from grid.report.sheets import MOST, sheets
from grid.results.rows import table

AXES = {"backbone": ["alexnet", "resnet34", "efficientnet_b1"], "detection": ["none", "mtcnn"]}


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=60, images=2, explainers=("gradcam",))


def best(study, count):
    found = table(study)
    column = next(one for one in found.columns if one.headline)
    return sorted(found.rows, key=lambda row: -row.value(column).value)[:count]


def test_all_cells_are_shown_where_there_are_few(study):
    found = table(study)
    chosen = pictured(found)
    assert (chosen.rows, chosen.of) == (found.rows, 6)
    assert chosen.words("s", 6, "store") == ""
    assert [len(sheet.strips) for sheet in sheets(study, found.rows, chosen)] == [6]


def test_of_many_cells_those_asked_for_and_the_best_are_shown(study, monkeypatch):
    monkeypatch.setattr(budget, "MOST_CELLS", 3)
    found = table(study)
    assert set(map(id, pictured(found).rows)) == set(map(id, pictured(found).ranked))
    assert {row.title for row in pictured(found).rows} == {row.title for row in best(study, 3)}
    worst = min(found.rows, key=lambda row: row.value(found.columns[0]).value)
    asked = {axis: [level] for axis, level in worst.cell.levels.items()}
    chosen = pictured(found, asked)
    assert chosen.ranked[0].title == worst.title
    assert {row.title for row in chosen.rows} == {worst.title, *(row.title for row in best(study, 2))}
    assert list(chosen.rows) == [row for row in found.rows if row in chosen.rows]  # in the order of the plan


def test_many_methods_share_the_tiles(study, monkeypatch):
    found = pictured(table(study))
    monkeypatch.setattr(budget, "LEAST_CELLS", 1)
    monkeypatch.setattr(budget, "MOST_TILES", 2 * 4 * MOST + 3)
    assert [row.title for row in found.within(2, MOST)] == [row.title for row in found.rows if row in found.ranked[:4]]
    assert len(found.within(100, MOST)) == 1
    assert len(found.within(1, MOST)) == 6


def test_the_page_stays_small_and_says_what_is_left_out_and_where_it_is(study, monkeypatch):
    monkeypatch.setattr(budget, "MOST_CELLS", 2)
    page = build(study, asked={"backbone": ["alexnet"], "detection": ["none"]})
    text = page.read_text(encoding="utf-8")
    sheet = text[text.index('<section id="sheet-1">') :].partition("</section>")[0]
    shown = {"backbone=alexnet, detection=none", best(study, 1)[0].title}
    assert set(re.findall(r'alt="[^"]*, (backbone=[^"]*)"', sheet)) == shown
    for section in (sheet, text[text.index('<section id="view">') :].partition("</section>")[0]):
        assert "2 of 6 cells are shown here, those asked for and the best by Accuracy, cross-validated" in section
        assert f"The maps and pictures of the others are in {study.store}" in section
        assert f"facegrid report {study.path.name} --compare axis=level" in section
    view = json.loads(re.search(r'<pre id="view-data" hidden>(.*?)</pre>', text, re.DOTALL)[1].replace("&#34;", '"'))
    assert {cell["title"] for cell in view["cells"]} == shown
