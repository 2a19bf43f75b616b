import shlex

import pytest

from grid.spec.cell_filter import check_cell_filter, parse_cell_filter, which
from grid.spec.grid_file import BadInput

AWKWARD = [
    "plain",
    "two words",
    "160,120",
    "a=b",
    ' "quoted" ',
    '"',
    '""',
    "",
    " ",
    "it's",
    "tab\there",
    "$HOME",
    "line\nbreak",
    "gr\u00f6\u00dfe",
    'a,b=c,"d"',
    ",",
    "=",
    "--where",
]


@pytest.mark.parametrize("level", AWKWARD)
@pytest.mark.parametrize("axis", ["axis", "learning rate", "a,b", "a=b", '"q"'])
def test_the_printed_hint_selects_its_cell_whatever_the_names_hold(axis, level):
    levels = {axis: level, "detection": "none"}
    option, text = shlex.split(which(levels))
    assert option == "--where"
    assert parse_cell_filter([text]) == {name: [one] for name, one in levels.items()}


def test_plain_names_need_no_quotes_and_blanks_around_them_do_not_count():
    assert which({"backbone": "resnet34", "detection": "none"}) == "--where backbone=resnet34,detection=none"
    assert parse_cell_filter(["backbone = resnet34 , detection=mtcnn", "detection=none"]) == {
        "backbone": ["resnet34"],
        "detection": ["mtcnn", "none"],
    }
    assert parse_cell_filter(["rate=very low,"]) == {"rate": ["very low"]}
    assert parse_cell_filter(None) == {}


@pytest.mark.parametrize("text", ["", "backbone", "backbone=a,b", "a=b=c", 'a="b', 'a="b"c', 'a=b"c', "=,", ",a=b"])
def test_what_is_no_axis_and_level_is_refused_with_the_way_to_quote(text):
    with pytest.raises(BadInput, match=r"expected axis=level at .* in double quotes") as error:
        parse_cell_filter([text])
    assert repr(text) in str(error.value)


def test_an_unknown_level_is_refused_with_the_nearest():
    check_cell_filter({"size": ["160,120"]}, {"size": ["160,120"]})
    with pytest.raises(BadInput, match="has no level '160,121'"):
        check_cell_filter({"size": ["160,121"]}, {"size": ["160,120"]})
