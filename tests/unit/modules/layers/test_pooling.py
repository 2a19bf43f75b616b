"""Maps to vectors."""

import pytest
import torch

from modules.layers.pooling import Pool, pooled, pooled_width


@pytest.mark.parametrize(("pool", "wanted"), [("average", [2.5, 6.5]), ("max", [4, 8]), ("flatten", [1, 2, 3, 4, 5, 6, 7, 8])])
def test_each_pooling_is_what_it_says(pool: Pool, wanted: list[float]) -> None:
    features = torch.arange(1.0, 9.0).view(1, 2, 2, 2)
    assert pooled(features, pool).tolist() == [wanted]
    assert pooled_width(2, 2, 2, pool) == len(wanted)


def test_the_width_of_a_flat_map_has_all_its_cells() -> None:
    assert pooled_width(3, 4, 5, "flatten") == pooled(torch.zeros(1, 3, 4, 5), "flatten").shape[1] == 60
    assert pooled_width(3, 4, 5, "max") == 3
