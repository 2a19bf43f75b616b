import re
from pathlib import Path

import pytest

import grid
from grid.spec.levels import cell_title, cells_title, level_lists, other_levels, selects

LEVELS = {"backbone": "resnet34", "detection": "none"}


def test_a_title_names_every_axis_in_order():
    assert cell_title(LEVELS) == "backbone=resnet34, detection=none"
    assert cell_title({}) == "the only cell"


def test_cells_that_share_a_stage_are_named_by_what_they_have_in_common():
    other = {**LEVELS, "detection": "mtcnn"}
    assert cells_title([LEVELS]) == cell_title(LEVELS)
    assert cells_title([LEVELS, other]) == "backbone=resnet34 (2 cells)"
    assert cells_title([LEVELS, other, {**other, "backbone": "alexnet"}]) == "3 cells"


@pytest.mark.parametrize(
    ("where", "selected"),
    [
        (None, True), ({}, True), ({"backbone": ["resnet34"]}, True), ({"backbone": ["alexnet", "resnet34"]}, True),
        ({"backbone": ["resnet34"], "detection": ["mtcnn"]}, False), ({"backbone": []}, False), ({"seed": ["0"]}, False),
    ],
)  # fmt: skip
def test_a_filter_selects_cells_that_have_one_of_the_levels_of_each_axis(where, selected):
    assert selects(where, LEVELS) is selected


def test_one_level_may_stand_alone_in_a_filter_from_python():
    assert level_lists({"loss": "arcface", "size": 64, "lr": [0.1, "low"]}) == {
        "loss": ["arcface"], "size": ["64"], "lr": ["0.1", "low"],
    }  # fmt: skip
    assert level_lists(None) == {}


def test_the_other_levels_keep_their_order():
    levels = {**LEVELS, "replicate": "2"}
    assert list(other_levels(levels).items()) == list(LEVELS.items())
    assert other_levels(levels, "backbone") == {"detection": "none", "replicate": "2"}
    assert other_levels(LEVELS, "seed") == LEVELS


def test_no_other_file_writes_titles_or_filters_of_its_own():
    root = Path(grid.__file__).parent
    texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    pattern = re.compile(r'f"\{axis\}=\{level\}" for|levels(\[axis\]|\.get\(axis\)) (not )?in')
    own = [name for name, text in texts.items() if pattern.search(text)]
    assert sorted(own) == ["report/sheets.py", "spec/levels.py"]  # the first asks whether a group of rows has one level
