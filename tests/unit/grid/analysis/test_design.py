"""The model says what it can estimate, and names what is aliased with what."""

import itertools

import numpy as np
import pytest

from grid.analysis.design import design

AXES = {"a": ("x", "y", "z"), "b": ("p", "q"), "c": ("s", "t")}
ALL = [dict(zip(AXES, levels, strict=True)) for levels in itertools.product(*AXES.values())]


def test_a_whole_grid_has_every_term_and_orthogonal_columns():
    found = design(ALL, AXES)
    assert list(found.columns) == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")]
    assert found.matrix.shape == (12, 1 + 2 + 1 + 1 + 2 + 2 + 1)
    assert not found.dropped
    for one, other in itertools.combinations(found.columns.values(), 2):
        assert found.matrix[:, list(one)].T @ found.matrix[:, list(other)] == pytest.approx(0)


def test_one_missing_cell_of_two_by_two_leaves_the_main_effects():
    axes = {"b": ("p", "q"), "c": ("s", "t")}
    cells = [{"b": "p", "c": "s"}, {"b": "p", "c": "t"}, {"b": "q", "c": "s"}]
    found = design(cells, axes)
    assert list(found.columns) == [("b",), ("c",)]
    assert set(found.dropped[("b", "c")]) == {("b",), ("c",)}


def test_factors_that_change_together_are_not_estimated_and_name_each_other():
    axes = {"b": ("p", "q"), "c": ("s", "t")}
    found = design([{"b": "p", "c": "s"}, {"b": "q", "c": "t"}], axes)
    assert not found.columns
    assert found.dropped[("b",)] == (("c",),)
    assert found.dropped[("c",)] == (("b",),)


def test_a_level_that_no_cell_has_is_no_level():
    found = design([cell for cell in ALL if cell["a"] != "y" and cell["b"] == "p"], AXES)
    assert list(found.columns) == [("a",), ("c",), ("a", "c")]
    assert found.levels["a"] == ("x", "z")


def test_an_unrelated_missing_cell_drops_nothing():
    found = design(ALL[1:], AXES)
    assert not found.dropped
    assert np.linalg.matrix_rank(found.matrix) == found.matrix.shape[1]


def test_effects_of_a_term_add_up_to_0():
    combinations, rows = design(ALL, AXES).contrasts(("a", "b"))
    assert combinations[:3] == [("x", "p"), ("x", "q"), ("y", "p")]
    assert rows.reshape(3, 2, -1).sum(axis=0) == pytest.approx(0)
    assert rows.reshape(3, 2, -1).sum(axis=1) == pytest.approx(0)
