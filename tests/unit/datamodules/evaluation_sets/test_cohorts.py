import pytest

from datamodules.columns import Column
from datamodules.evaluation_sets.cohorts import check_columns, combined, parts

COLUMNS = {
    "race": Column.categorical(["A", "B", None, "B"]),
    "gender": Column.categorical(["F", "M", "F", None]),
    "years": Column.number([1, 2, 3, 4]),
}


def test_combinations_have_a_class_each_and_unknown_labels_none():
    index, names = combined(COLUMNS, "race*gender")
    assert names == ["A x F", "A x M", "B x F", "B x M"]
    assert index.tolist() == [0, 3, -1, -1]
    assert parts("race * gender") == ["race", "gender"]


def test_one_column_is_itself():
    index, names = combined(COLUMNS, "race")
    assert (index.tolist(), names) == ([0, 1, -1, 1], ["A", "B"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["rase"], "protocol x: 'rase' in cohorts is no column of dataset y.*race"),
        (["years"], "protocol x: column 'years' in cohorts has numbers"),
        ([], "protocol x: dataset y has no column with classes"),
    ],
)
def test_what_is_no_column_with_classes_is_named(names, words):
    with pytest.raises(ValueError, match=words):
        check_columns(names, {name: column.classes for name, column in COLUMNS.items()}, "protocol x", "dataset y")
    check_columns(["race", "gender"], {name: column.classes for name, column in COLUMNS.items()}, "protocol x", "dataset y")
