import numpy as np
import pytest

from modules.metrics.validation import at_least, checked, held_out, labels


def test_float32_stays_and_everything_else_becomes_float64():
    same = np.array([True, False])
    for kind, expected in (
        (np.float32, np.float32),
        (np.float16, np.float64),
        (np.int64, np.float64),
        (np.float64, np.float64),
    ):
        assert checked(np.array([1, 0], kind), same)[0].dtype == expected


@pytest.mark.parametrize("bad", [np.array([1, -1]), np.array([1.0, np.nan]), np.array([0, 2])])
def test_labels_that_are_neither_one_nor_zero_are_refused(bad):
    with pytest.raises(ValueError, match="the label of row 1"):
        labels(bad)


def test_labels_of_ones_and_zeros_are_taken():
    assert labels(np.array([1, 0, 1])).tolist() == [True, False, True]


def test_folds_come_in_the_order_of_their_numbers():
    held = held_out(np.array([7, 3, 7, 5]), 4)
    assert [np.flatnonzero(out).tolist() for out in held] == [[1], [3], [0, 2]]


@pytest.mark.parametrize(("folds", "words"), [([1, 1, 1], "two folds"), ([1, 2], "3 scores and 2 fold numbers")])
def test_folds_that_cannot_be_are_refused(folds, words):
    with pytest.raises(ValueError, match=words):
        held_out(np.array(folds), 3)


@pytest.mark.parametrize("least", [7, 49, 101, 333, 123_457])
def test_a_number_that_is_asked_for_is_no_smaller_than_what_is_accepted(least):
    said = float(at_least(1 / least))
    assert 1 / least <= said < 1.011 / least
