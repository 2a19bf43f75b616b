"""Linear layers of low rank."""

import pytest
import torch
from torch import nn

from modules.layers.low_rank import LowRank, lowered


@pytest.mark.parametrize(("ratio", "rank"), [(0.6, 3), (0.5, 3), (1.0, 6), (0.01, 2)])
def test_the_rank_is_the_share_of_the_smaller_side_and_two_at_least(ratio: float, rank: int) -> None:
    layer = LowRank(6, 9, ratio).double()
    product = layer.linear2.weight @ layer.linear1.weight
    assert product.shape == (9, 6)
    assert int(torch.linalg.matrix_rank(product)) == rank
    vectors = torch.randn(4, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(layer(vectors), vectors @ product.T + layer.linear2.bias)


def test_every_linear_layer_inside_is_replaced_and_keeps_its_bias_or_none() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.Linear(8, 4), nn.GELU()), nn.Linear(4, 2, bias=False))
    assert lowered(module, 0.5) is module
    assert not any(type(part) is nn.Linear for name, part in module.named_modules() if ".linear" not in name)
    assert {name for name, _ in module.named_parameters()} == {
        "0.weight", "0.bias", "1.0.linear1.weight", "1.0.linear2.weight", "1.0.linear2.bias", "2.linear1.weight",
        "2.linear2.weight",
    }  # fmt: skip
