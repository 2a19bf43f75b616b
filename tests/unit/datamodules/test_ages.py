from datamodules.ages import AGES, OLDEST, age_band, age_columns


def test_bands_hold_their_ends():
    for band, text in enumerate(AGES[:-1]):
        low, high = map(int, text.split("-"))
        assert all(age_band(years) == band for years in range(low, high + 1))
    assert {AGES[age_band(years)] for years in range(70, OLDEST + 1)} == {"more than 70"}


def test_ages_are_a_column_of_bands_and_one_of_years():
    found = age_columns([1, 5, 5, 80])
    assert found["age"].counts()["3-9"] == 2
    assert found["age_years"].values.tolist() == [1, 5, 5, 80]
    assert (found["age_years"].classes, found["age_years"].unit) == (None, "years")
