import numpy as np
import pytest

from datamodules.attributes import AGES, GENDERS, OLDEST, Attributes, age_band, age_labels


def test_bands_hold_their_ends():
    for band, text in enumerate(AGES[:-1]):
        low, high = map(int, text.split("-"))
        assert all(age_band(years) == band for years in range(low, high + 1))
    assert {AGES[age_band(years)] for years in range(70, OLDEST + 1)} == {"more than 70"}


def test_a_table_counts_its_classes():
    found = Attributes.of({"gender": (GENDERS, [0, 1, 1, -1]), "age": age_labels([1, 5, 5, 80])}, [1, 5, 5, 80])
    assert len(found) == 4
    assert found.names == ("gender", "age")
    assert found.counts("gender") == {"Male": 1, "Female": 2}
    assert found.counts("age")["3-9"] == 2
    assert found.values["age"].dtype == found.years.dtype == np.int64
    with pytest.raises(ValueError, match=r"no attribute 'race' \(known: gender, age\)"):
        found.counts("race")


def test_the_digest_follows_every_value():
    tables = [
        Attributes.of({"gender": (GENDERS, [0, 1])}),
        Attributes.of({"gender": (GENDERS, [1, 0])}),
        Attributes.of({"sex": (GENDERS, [0, 1])}),
        Attributes.of({"gender": (GENDERS[::-1], [0, 1])}),
        Attributes.of({"gender": (GENDERS, [0, 1])}, [3, 4]),
    ]
    assert len({table.digest for table in tables}) == 5


@pytest.mark.parametrize(
    ("labels", "years", "error"),
    [
        ({"gender": (GENDERS, [0, 2])}, None, "attribute gender: row 1 has class 2 of 2"),
        ({"gender": (GENDERS, [0, 1]), "age": (AGES, [0])}, None, "one length"),
        ({"gender": (GENDERS, [0, 1])}, [1], "one length"),
        ({}, None, "differ"),
    ],
)
def test_what_is_no_table_is_refused(labels, years, error):
    with pytest.raises(ValueError, match=error):
        Attributes.of(labels, years)
