"""Publications that a grid file names: checked, kept in the study, and without effect on cells."""

from collections.abc import Callable

import pytest

from grid.plan.plan import make_plan
from grid.plan.study_record import write_plan
from grid.spec.grid_file import BadInput, Grid

PAPER = {"title": "FaceNet", "authors": "Schroff and others", "url": "https://arxiv.org/abs/1503.03832"}


def test_a_study_keeps_them_and_its_cells_are_the_same(make: Callable[..., Grid]) -> None:
    plain, sourced = make_plan(make()), make_plan(make(sources=[PAPER]))
    assert [cell.id for cell in plain.cells] == [cell.id for cell in sourced.cells]
    assert write_plan(sourced, sourced.grid)["sources"] == [PAPER]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "arxiv.org/abs/1", "https://a b", 'https://a"onclick="x', "https://a)"])
def test_what_is_no_address_is_refused(make: Callable[..., Grid], url: str) -> None:
    with pytest.raises(BadInput, match=r"sources.*is no address of a page"):
        make(sources=[PAPER | {"url": url}])
