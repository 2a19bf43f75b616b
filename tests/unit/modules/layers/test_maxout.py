"""Maxout against its formula."""

import pytest
import torch

from modules.layers.maxout import Maxout


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_unit_is_the_largest_of_its_linear_functions(pieces: int) -> None:
    torch.manual_seed(0)
    layer = Maxout(4, 5, pieces)
    vectors = torch.randn(3, 4)
    found = layer(vectors)
    assert found.shape == (3, 5)
    for row in range(3):
        for unit in range(5):
            rows = range(unit * pieces, (unit + 1) * pieces)
            wanted = max((layer.linear.weight[k] @ vectors[row] + layer.linear.bias[k]).item() for k in rows)
            assert found[row, unit].item() == pytest.approx(wanted, abs=1e-6)
