from collections.abc import Callable
from pathlib import Path

import pytest

from grid.ledger.study import Study
from grid.results.hard_impostors import mine_hard_impostors
from grid.spec.grid_file import BadInput


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ({}, "and mine takes one cell; choose one, such as --where backbone=alexnet"),
        ({"backbon": ["alexnet"]}, "--where: unknown axis 'backbon'; did you mean 'backbone'?"),
        (
            {"backbone": ["alexnet"]},
            "no finished clustering protocol 'clustering' (there: none); one such is {name: clustering, ",
        ),
    ],
)
def test_a_miner_that_is_no_one_finished_cell_is_refused(
    make_study: Callable[..., Study], tmp_path: Path, where: dict[str, list[str]], complaint: str
) -> None:
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=())
    with pytest.raises(BadInput) as error:
        mine_hard_impostors(study, where, "clustering", tmp_path, tmp_path / "mined.txt")
    assert complaint in str(error.value)
