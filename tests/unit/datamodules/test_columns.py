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
