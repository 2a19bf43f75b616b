import numpy as np
import pytest

from modules.attribution.explainer import Refused
from modules.attribution.patches import count, places, spread


def test_the_last_patch_is_flush_with_the_border():
    assert places(16, 4, 4) == [0, 4, 8, 12]
    assert places(17, 4, 4) == [0, 4, 8, 12, 13]
    assert places(16, 5, 3) == [0, 3, 6, 9, 11]
    assert places(5, 5, 2) == [0]
    assert [count((17, 16), 4, 4), count((16, 5), 5, 3), count((5, 5), 6, 2)] == [5 * 4, 5, 1]


def test_a_patch_larger_than_the_image_is_refused():
    with pytest.raises(Refused, match="patch of 6 pixels does not fit into an image of 5") as refused:
        places(5, 6, 1)
    assert refused.value.code == "patch_too_large"


def test_a_pixel_is_the_mean_of_its_patches():
    rows, columns = places(7, 3, 2), places(8, 3, 3)
    values = np.random.default_rng(0).normal(size=(len(rows), len(columns)))
    found = spread(values, rows, columns, 3, (7, 8))
    for y in range(7):
        for x in range(8):
            over = [
                values[i, j] for i, r in enumerate(rows) for j, c in enumerate(columns) if r <= y < r + 3 and c <= x < c + 3
            ]
            assert found[y, x] == pytest.approx(sum(over) / len(over), abs=1e-14)
