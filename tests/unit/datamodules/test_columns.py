import numpy as np
import pytest

from datamodules.columns import Column


def test_labels_become_classes_in_the_order_that_is_told_or_by_name():
    found = Column.categorical(["b", None, "a", "b"])
    assert (found.classes, found.values.tolist(), found.known.tolist()) == (
        ("a", "b"),
        [1, -1, 0, 1],
        [True, False, True, True],
    )
    assert found.counts() == {"a": 1, "b": 2}
    assert Column.categorical(["b"], ["c", "b"]).values.tolist() == [1]
    with pytest.raises(ValueError, match=r"unknown class 'd' \(known: c, b\)"):
        Column.categorical(["b", "d"], ["c", "b"])


def test_numbers_may_be_unknown():
    found = Column.number([3, None, -0.5], "years")
    assert found.known.tolist() == [True, False, True]
    assert found.values[[0, 2]].tolist() == [3, -0.5]


def test_the_digest_follows_every_value_and_the_type():
    columns = [
        Column.categorical(["a", "b"]),
        Column.categorical(["b", "a"]),
        Column.categorical(["a", None], ["a", "b"]),
        Column.categorical(["a", "b"], ["b", "a"]),
        Column.categorical(["a", "b"], ["a", "b", "c"]),
        Column.number([0, 1]),
        Column.number([0, None]),
        Column.number([0, 1], "years"),
    ]
    assert len({column.digest for column in columns}) == len(columns)
    assert Column.number([0, None]).digest == Column.number([0, None]).digest


@pytest.mark.parametrize(
    ("values", "classes", "error"),
    [
        (np.array([0, 2]), ("a", "b"), "row 1 has class 2 of 2"),
        (np.array([-2]), ("a", "b"), "row 0 has class -2 of 2"),
        (np.array([0.0]), ("a",), "a column of classes is int64"),
        (np.array([0]), None, "a column of numbers is float64"),
        (np.array([[0.0]]), None, "a column of numbers is float64"),
        (np.array([np.inf]), None, "found infinity"),
        (np.array([0]), ("a", "a"), "names of their own"),
        (np.array([-1]), (), "names of their own"),
    ],
)
def test_what_is_no_column_is_refused(values, classes, error):
    with pytest.raises(ValueError, match=error):
        Column(values, classes)


def test_edges_divide_numbers_into_classes_and_leave_unknown_values_unknown():
    years = Column.number([0, 2, 3, None, 12, 13, 99], "years")
    found = years.binned((0, 3, 12, 13))
    assert found.classes == ("0-2", "3-11", "12", "13+")
    assert found.values.tolist() == [0, 0, 1, -1, 2, 3, 3]
    assert found.ordered
    assert Column.number([0.5, 2.5]).binned((0, 2.5)).classes == ("[0, 2.5)", "2.5+")


def test_edges_refuse_values_below_them_and_classes():
    with pytest.raises(ValueError, match="2 of 3 values are below the first edge 5, such as 1; start the edges"):
        Column.number([1, 4, 9]).binned((5, 8))
    with pytest.raises(ValueError, match="edges divide a column of numbers"):
        Column.categorical(["a"]).binned((0, 1))


def test_merged_classes_take_the_place_of_the_first():
    column = Column.categorical(["East", "White", None, "Southeast", "Black"], ("White", "East", "Black", "Southeast"))
    found = column.merged({"Asian": ("East", "Southeast")})
    assert found.classes == ("White", "Asian", "Black")
    assert found.values.tolist() == [1, 0, -1, 1, 2]


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ({"Asian": ("North",)}, r"merge names the class 'North' \(known: White, East\)"),
        ({"A": ("East",), "B": ("East",)}, "merge puts the class 'East' into both 'A' and 'B'"),
        ({"White": ("East",)}, "merge calls a new class 'White', which is also the name of a class that stays"),
    ],
)
def test_merging_refuses_what_is_ambiguous(groups, error):
    with pytest.raises(ValueError, match=error):
        Column.categorical(["White", "East"], ("White", "East")).merged(groups)
    with pytest.raises(ValueError, match="this is a column of numbers; set edges"):
        Column.number([1]).merged({"a": ("b",)})


def test_the_order_of_classes_is_no_part_of_the_labels():
    values = np.array([0, 1], np.int64)
    assert Column(values, ("a", "b"), ordered=True).digest == Column(values, ("a", "b")).digest
