"""What a quick look looks at."""

from types import SimpleNamespace

from grid.stages.context import FAST_IMAGES, FAST_SUBJECTS, fast_rows


def rows(*identities: str) -> list[int]:
    return fast_rows(SimpleNamespace(identities=identities))


def test_a_quick_look_takes_a_few_images_of_those_who_have_most() -> None:
    many = ["a"] * 2 + ["b"] * 20 + ["c"] * 9 + ["d"] * 3 + ["e"] * 1 + ["f"] * 8
    found = rows(*many)
    assert [many[row] for row in found] == ["b"] * 8 + ["c"] * 8 + ["d"] * 3 + ["f"] * 8
    assert (FAST_SUBJECTS, FAST_IMAGES) == (4, 8)


def test_rows_rise_and_equal_counts_are_taken_in_the_order_of_the_dataset() -> None:
    assert rows(*"abcdefabcdef") == [0, 1, 2, 3, 6, 7, 8, 9]
    assert rows(*"ba") == [0, 1]
    assert rows() == []
