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


SIGNS = {"a": ("-", "+"), "b": ("-", "+"), "c": ("-", "+")}


def half(product: int) -> list[dict[str, str]]:
    """The half of 2^3 whose product of signs is ``product``: resolution 3, a = b x c up to the sign."""
    every = itertools.product((-1, 1), repeat=3)
    return [dict(zip(SIGNS, ("-+"[sign > 0] for sign in signs), strict=True)) for signs in every if np.prod(signs) == product]


@pytest.mark.parametrize("product", [1, -1])
def test_main_effects_of_resolution_3_name_the_interaction_that_they_include(product):
    found = design(half(product), SIGNS)
    assert found.aliases == {("a",): (("b", "c"),), ("b",): (("a", "c"),), ("c",): (("a", "b"),)}


def test_an_interaction_of_its_size_shows_up_in_each_aliased_effect():
    """The estimate of a is exactly what an interaction of b and c alone would give."""
    cells = half(1)
    found = design(cells, SIGNS)
    values = np.array([(1 if cell["b"] == cell["c"] else -1) * 0.5 for cell in cells])
    estimates = np.linalg.pinv(found.matrix) @ values
    assert {term: bool(abs(estimates[list(own)]).max() > 1e-9) for term, own in found.columns.items()} == {
        ("a",): True,
        ("b",): False,
        ("c",): False,
    }


def test_terms_of_a_whole_grid_have_no_aliases():
    assert set(design(ALL, AXES).aliases.values()) == {()}


def test_effects_of_one_axis_at_a_time_are_those_at_the_base():
    """They include the interactions with the other axis, and with no other."""
    axes = {**SIGNS, "d": ("-", "+")}
    base = dict.fromkeys(axes, "-")
    found = design([base, *({**base, axis: "+"} for axis in axes)], axes)
    assert found.aliases[("a",)] == (("a", "b"), ("a", "c"), ("a", "d"))
    assert not found.refused, "no interaction alone could be the whole of an effect"


@pytest.mark.parametrize("product", [1, -1])
def test_a_main_effect_that_may_be_one_interaction_is_refused_unless_it_is_assumed_absent(product):
    cells = half(product)
    assert design(cells, SIGNS).refused == {("a",): (("b", "c"),), ("b",): (("a", "c"),), ("c",): (("a", "b"),)}
    assumed = design(cells, SIGNS, negligible=True)
    assert not assumed.refused
    assert assumed.aliases == design(cells, SIGNS).aliases


def test_main_effects_of_resolution_4_are_not_refused():
    cells = [{**one, "d": "-+"[sum(level == "+" for level in one.values()) % 2]} for one in half(1) + half(-1)]
    found = design(cells, {**SIGNS, "d": ("-", "+")})
    assert len(found.dropped) == 6
    assert not found.refused


def test_a_latin_square_has_no_main_effect_that_is_not_an_interaction():
    three = ("0", "1", "2")
    cells = [{"a": a, "b": b, "c": three[(int(a) + int(b)) % 3]} for a in three for b in three]
    found = design(cells, dict.fromkeys("abc", three))
    assert found.refused == {("a",): (("b", "c"),), ("b",): (("a", "c"),), ("c",): (("a", "b"),)}


def test_cells_that_are_missing_by_chance_refuse_no_main_effect():
    assert not design(ALL[2:], AXES).refused
    assert design(ALL[2:], AXES).dropped
