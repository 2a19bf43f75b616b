"""Lists of places in the format of Patch-LFW's public code."""

import numpy as np
import pytest

from datamodules.list_readers.patches import ListedPatches, read_patches

IMPOSTOR = "id1, id2 \t row indices \t column indices \n"
GENUINE = "id1, id2 \t patch_id \t row indices \t column indices \n"


def put(folder, text):
    file = folder / "patch_idx.txt"
    file.write_text(text)
    return file


def test_rows_end_a_patch_and_columns_start_it(tmp_path):
    """As ``img1[row-16:row, column:column+16] = ...``: here by the pixels that a slice selects."""
    file = put(tmp_path, IMPOSTOR + "4, 5 \t [16, 112, 40] \t [0, 96, 7] \n")
    found = read_patches(file, genuine=False)
    assert list(found) == [2]
    rows, columns = np.indices((112, 112))
    for (top, left), (row, column) in zip(found[2].places, [(16, 0), (112, 96), (40, 7)], strict=True):
        assert top == rows[row - 16 : row].min()
        assert left == columns[:, column : column + 16].min()
    assert (found[2].source, found[2].line) == (None, 2)


def test_genuine_pairs_have_a_source_and_numpy_2_its_own_integers(tmp_path):
    text = GENUINE + "0, 1 \t 77 \t [np.int64(20), np.int64(30)] \t [np.int64(1), np.int64(2)] \n2, 3 \t 5 \t [] \t [] \n"
    found = read_patches(put(tmp_path, text), genuine=True)
    assert found == {0: ListedPatches(0, 77, ((4, 1), (14, 2)), 2), 1: ListedPatches(1, 5, (), 3)}


def test_another_side_moves_the_top(tmp_path):
    assert read_patches(put(tmp_path, "0, 1\t[30]\t[5]\n"), genuine=False, side=10)[0].places == ((20, 5),)


@pytest.mark.parametrize(
    ("text", "genuine", "said"),
    [
        ("0, 1\t[20]\t[5]\n", True, "line 1: expected two image numbers, the number of the source, rows and columns"),
        ("0, 1\t9\t[20]\t[5]\n", False, "line 1: expected two image numbers, rows and columns"),
        ("0, 1\t[20 30]\t[5]\n", False, "line 1: expected"),
        ("0\t[20]\t[5]\n", False, "line 1: expected"),
        (IMPOSTOR + "1, 2\t[20]\t[5]\n", False, "line 2: the images of pair n are 2 n and 2 n \\+ 1, found 1 and 2"),
        ("0, 3\t[20]\t[5]\n", False, "found 0 and 3"),
        ("0, 1\t[20]\t[5]\n0, 1\t[21]\t[6]\n", False, "line 2: pair 0 is there twice, first in line 1"),
        ("0, 1\t[20, 30]\t[5]\n", False, "2 rows and 1 columns"),
        ("0, 1\t[15]\t[5]\n", False, "row 15, column 5 is not within 112 x 112 pixels; rows are 16 to 112, columns 0 to 96"),
        ("0, 1\t[113]\t[5]\n", False, "row 113"),
        ("0, 1\t[20]\t[97]\n", False, "column 97"),
    ],
)
def test_mistakes_are_named(tmp_path, text, genuine, said):
    with pytest.raises(ValueError, match=f"patch_idx.txt.*{said}"):
        read_patches(put(tmp_path, text), genuine)
