from collections.abc import Callable

import pytest
from rich.console import Console

from grid.execution.debug import _words, debug
from grid.spec.grid_file import BadInput, Grid


def complaint(grid: Grid, **where: list[str]) -> str:
    with pytest.raises(BadInput) as error:
        debug(grid, where, fast=True, again=False, console=Console(quiet=True))
    return str(error.value)


def test_several_cells_are_answered_with_a_where_that_can_be_pasted(make: Callable[..., Grid]) -> None:
    axes = {"seed": {"a": {"seed": 0}, "b": {"seed": 1}}, "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.1}}}
    said = complaint(make(axes=axes), seed=["b"])
    assert said == "debug runs one cell, and 2 are selected; choose one, such as --where seed=b,rate=low"


def test_a_skipped_cell_is_answered_with_its_reason(make: Callable[..., Grid]) -> None:
    axes = {"seed": {"a": {"seed": 0}, "b": {"seed": 1}}}
    said = complaint(make(axes=axes, skip=[{"when": {"seed": "b"}, "because": "too dear"}]), seed=["b"])
    assert said.endswith("too dear")


def test_facts_are_shown_short_and_without_digests() -> None:
    facts = {"auc": 0.6648888888888889, "network": "7693c474", "epochs": 2, "accuracy": None, "layer": ""}
    assert _words(facts) == "auc 0.6649, epochs 2"
