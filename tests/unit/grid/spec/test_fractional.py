"""Fractional designs: runs, words and aliases against the columns themselves, and tables of textbooks."""

import itertools

import numpy as np
import pytest

from grid.spec.fractional import smallest, stated

NAMES = tuple("abcdefghijkl")


def signs(fraction):
    """(runs, axes) of -1 and +1."""
    return 2 * np.array(list(fraction.rows())) - 1


def column(fraction, effect):
    return signs(fraction)[:, [fraction.axes.index(axis) for axis in effect]].prod(axis=1)


def effects(fraction, most):
    return [chosen for size in range(1, most + 1) for chosen in itertools.combinations(fraction.axes, size)]


# Montgomery, Table 8.14: axes, resolution, runs, lengths of the words of the defining relation
@pytest.mark.parametrize(
    ("axes", "resolution", "runs", "lengths"),
    [
        (3, 3, 4, [3]),
        (4, 4, 8, [4]),
        (5, 3, 8, [3, 3, 4]),
        (5, 5, 16, [5]),
        (6, 3, 8, [3, 3, 3, 3, 4, 4, 4]),
        (6, 4, 16, [4, 4, 4]),
        (7, 3, 8, [3] * 7 + [4] * 7 + [7]),
        (7, 4, 16, [4] * 7),
        (8, 4, 16, [4] * 14 + [8]),
        (8, 5, 64, [5, 5, 6]),
        (9, 4, 32, [4] * 6 + [5] * 8 + [8]),
        (10, 4, 32, [4] * 10 + [5] * 16 + [8] * 5),
    ],
)
def test_the_smallest_fraction_is_that_of_the_textbook(axes, resolution, runs, lengths):
    found = smallest(NAMES[:axes], resolution)
    assert (found.runs, [word.bit_count() for word in found.words]) == (runs, lengths)
    assert found.resolution >= resolution
    assert len(set(found.rows())) == runs


@pytest.mark.parametrize(("axes", "resolution"), [(3, 3), (4, 4), (5, 3), (6, 4), (7, 3), (12, 3), (12, 4)])
def test_effects_are_aliased_if_and_only_if_their_columns_are_equal(axes, resolution):
    found = smallest(NAMES[:axes], resolution)
    groups: dict[bytes, list[tuple[str, ...]]] = {}
    for effect in effects(found, 3):
        groups.setdefault(column(found, effect).tobytes(), []).append(effect)
    wanted = {frozenset(group) for group in groups.values() if len(group) > 1 and len(group[0]) <= 2}
    assert {frozenset(group) for group in found.aliases()} == wanted
    constant = [effect for effect in effects(found, axes) if abs(column(found, effect).sum()) == found.runs]
    assert [found.names(word) for word in found.words] == constant


@pytest.mark.parametrize(("axes", "resolution"), [(4, 4), (5, 3), (6, 4), (8, 5)])
def test_the_rank_of_the_model_is_the_number_of_alias_sets(axes, resolution):
    found = smallest(NAMES[:axes], resolution)
    model = np.stack([column(found, effect) for effect in effects(found, 2)], axis=1)
    in_sets = [[one for one in group if len(one) <= 2] for group in found.aliases()]
    assert np.linalg.matrix_rank(model) == model.shape[1] - sum(len(group) - 1 for group in in_sets)


def test_main_effects_are_balanced_and_orthogonal():
    found = signs(smallest(NAMES[:7], 4))
    assert found.T @ found == pytest.approx(16 * np.eye(7))
    assert found.sum(axis=0) == pytest.approx(0)


def test_a_stated_generator_is_the_product_of_its_axes():
    found = stated(("d", "a", "b", "c"), {"d": ("a", "b", "c")})
    assert list(found.rows()) == sorted(
        (int(np.prod([2 * one - 1 for one in base]) > 0), *base) for base in itertools.product((0, 1), repeat=3)
    )
    assert found.aliases() == [
        (("d",), ("a", "b", "c")),
        (("a",), ("d", "b", "c")),
        (("b",), ("d", "a", "c")),
        (("c",), ("d", "a", "b")),
        (("d", "a"), ("b", "c")),
        (("d", "b"), ("a", "c")),
        (("d", "c"), ("a", "b")),
    ]


@pytest.mark.parametrize(
    ("generators", "message"),
    [
        ({"x": ("a", "b")}, "generators: unknown axis 'x'; the axes are a, b, c, d"),
        ({"d": ("a", "x")}, "generators: unknown axis 'x'"),
        ({"d": ("a", "b"), "c": ("a", "d")}, "generators.c: 'd' is generated itself"),
        ({"d": ("a", "a")}, "generators.d: a, a names an axis twice"),
        ({"d": ("a",)}, "generators: a and d would always change together"),
        ({"c": ("a", "b"), "d": ("a", "b")}, "generators: c and d would always change together"),
    ],
)
def test_unsuitable_generators_are_refused(generators, message):
    with pytest.raises(ValueError, match=message):
        stated(("a", "b", "c", "d"), generators)


def test_impossible_resolutions_are_refused():
    with pytest.raises(ValueError, match="no fraction of 3 axes has resolution 4"):
        smallest(NAMES[:3], 4)
    with pytest.raises(ValueError, match="up to 12 axes; found 13; state generators"):
        smallest(tuple("abcdefghijklm"), 3)
