"""Which combinations a design has, and what it refuses."""

import itertools

import pytest
from pydantic import ValidationError

from grid.spec.design import Design

AXES = {"a": ("x", "y", "z"), "b": ("p", "q"), "c": ("s", "t")}
TWO = {"a": ("x", "y"), "b": ("p", "q"), "c": ("s", "t")}


def points(axes=AXES, **design):
    found = Design.model_validate(design)
    found.check(axes)
    made = list(found.combinations(axes))
    assert len(made) == found.size(axes)
    return made


def test_a_product_has_every_combination():
    assert points() == list(itertools.product(*AXES.values()))
    assert points({}) == [()]


def test_zip_pairs_levels_by_position():
    assert points(TWO, name="zip") == [("x", "p", "s"), ("y", "q", "t")]
    assert points({}, name="zip") == [()]
    with pytest.raises(ValueError, match="each axis needs as many as the others; found a 3, b 2, c 2"):
        points(name="zip")


def test_one_at_a_time_changes_each_axis_of_the_base_alone():
    assert points(name="one_at_a_time") == [
        ("x", "p", "s"), ("y", "p", "s"), ("z", "p", "s"), ("x", "q", "s"), ("x", "p", "t"),
    ]  # fmt: skip
    found = points(name="one_at_a_time", base={"a": "y", "c": "t"})
    assert found[0] == ("y", "p", "t")
    assert all(sum(one != other for one, other in zip(found[0], each, strict=True)) == 1 for each in found[1:])
    assert len(set(found)) == 5


def test_a_fraction_has_the_first_level_as_minus_and_the_second_as_plus():
    assert points(TWO, name="fractional", generators={"c": ["a", "b"]}) == [
        ("x", "p", "t"), ("x", "q", "s"), ("y", "p", "s"), ("y", "q", "t"),
    ]  # fmt: skip
    assert points(TWO, name="fractional", resolution=3) == points(TWO, name="fractional", generators={"c": ["a", "b"]})


def test_short_forms():
    assert Design.model_validate("zip") == Design.model_validate({"zip": None}) == Design(name="zip")
    assert Design.model_validate({"fractional": {"resolution": 4}}) == Design(name="fractional", resolution=4)
    overridden = {"fractional": {"resolution": 4}, "resolution": 5}  # what design.resolution=5 makes of it
    assert Design.model_validate(overridden) == Design(name="fractional", resolution=5)
    assert Design.model_validate({"one_at_a_time": {"base": {"a": "x"}}}) == Design(name="one_at_a_time", base={"a": "x"})


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"name": "fractional"}, "needs either resolution, such as 4, or generators"),
        ({"name": "fractional", "resolution": 3, "generators": {"c": ["a", "b"]}}, "needs either resolution"),
        ({"name": "fractional", "generators": {"c": []}}, "c needs the axes whose product it is"),
        ({"name": "zip", "resolution": 3}, "resolution belongs to fractional; found design zip"),
        ({"name": "product", "negligible": "interactions"}, "negligible belongs to fractional; found design product"),
        ({"name": "fractional", "resolution": 3, "negligible": "everything"}, "Input should be 'interactions'"),
        ({"base": {"a": "x"}}, "base belongs to one_at_a_time; found design product"),
        ({"name": "fractional", "resolution": 2}, "greater than or equal to 3"),
        ("latin", "'product', 'zip', 'one_at_a_time' or 'fractional'"),
    ],
)
def test_keys_that_do_not_belong_together_are_refused(design, message):
    with pytest.raises(ValidationError, match=message):
        Design.model_validate(design)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"name": "fractional", "resolution": 3}, "two levels per axis; axis 'a' has 3; keep two"),
        ({"name": "one_at_a_time", "base": {"d": "x"}}, "base: unknown axis 'd'"),
        ({"name": "one_at_a_time", "base": {"b": "x"}}, "base: axis 'b' has no level 'x'"),
    ],
)
def test_axes_that_do_not_suit_are_refused(design, message):
    with pytest.raises(ValueError, match=message):
        points(**design)


def test_too_many_axes_are_refused():
    axes = {f"axis{number}": ("x", "y") for number in range(17)}
    generators = {f"axis{number}": [f"axis{number - 12}", "axis5"] for number in range(12, 17)}
    with pytest.raises(ValueError, match="at most 16 axes; found 17"):
        points(axes, name="fractional", generators=generators)


def test_main_effects_are_clear_of_what_may_be_there():
    half = {"name": "fractional", "generators": {"c": ["a", "b"]}}
    assert Design().clear(TWO)
    assert Design(name="one_at_a_time").clear(TWO)
    assert not Design(name="zip").clear(TWO)
    assert not Design.model_validate(half).clear(TWO)
    assert Design.model_validate({**half, "negligible": "interactions"}).clear(TWO)
    assert Design(name="fractional", resolution=4).clear({**TWO, "d": ("u", "v")})


def test_which_levels_meet_with_all_else_equal():
    assert Design().crosses("a", ("x", "z"), AXES)
    assert not Design(name="zip").crosses("a", ("x", "y"), TWO)
    assert Design(name="zip").crosses("replicate", ("0", "1"), TWO)
    assert Design(name="one_at_a_time").crosses("a", ("x", "y", "z"), AXES)
    assert not Design(name="fractional", resolution=3).crosses("b", ("p", "q"), TWO)
