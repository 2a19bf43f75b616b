"""The head of face transformers."""

import pytest
import torch
from torch import nn

from modules.heads.tokens import TokensConfig


@pytest.mark.parametrize("pool", ["flatten", "average"])
def test_it_is_two_normalized_linear_layers_of_the_tokens_place_by_place(pool: str) -> None:
    torch.manual_seed(0)
    head = TokensConfig(dimension=3, pool=pool, hidden=5).build(4, 2, 3).double().eval()
    for norm in (head.norm, head.out):
        for value in (norm.running_mean, norm.weight.data, norm.bias.data):
            value.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 4, 2, 3, dtype=torch.float64)
    tokens = [[features[row, :, y, x] for y in range(2) for x in range(3)] for row in range(2)]
    values = torch.stack([torch.cat(one) if pool == "flatten" else torch.stack(one).mean(0) for one in tokens])
    assert head.linear.weight.shape[1:] == (24 if pool == "flatten" else 4,)

    def normalized(values: torch.Tensor, norm: nn.BatchNorm1d) -> torch.Tensor:
        return (values - norm.running_mean) / (norm.running_var + 2e-5) ** 0.5 * norm.weight + norm.bias

    hidden = normalized(values @ head.linear.weight.T, head.norm)
    torch.testing.assert_close(head(features), normalized(hidden @ head.last.weight.T, head.out), rtol=1e-12, atol=1e-12)


def test_of_144_tokens_it_has_38_million_parameters() -> None:
    with torch.device("meta"):
        head = TokensConfig().build(512, 12, 12)
    assert sum(parameter.numel() for parameter in head.parameters()) == 144 * 512 * 512 + 512 * 512 + 4 * 512 == 38_012_928
