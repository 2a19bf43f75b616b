import pytest
import torch
from pair_networks import CELLS, head, network
from torch import nn

from modules.attribution.explainer import Refused
from modules.attribution.linear_heads import LinearHead

LINEAR = ["gap_bn", "fc_bn", "gdc", "l2", "l2_flatten", "tokens", "tokens_average", "gmp"]


def features(count=2, seed=0):
    return torch.randn(count, *CELLS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", LINEAR)
def test_cells_and_bias_sum_to_the_embedding(name):
    original = network(name).head
    made = LinearHead(original)
    given, directions = features(), torch.eye(6 if name == "gmp" else 5, dtype=torch.float64)
    pulled = made.pull(directions, CELLS)
    shares = torch.einsum("nchw,mchw->nm", made.values(given), pulled)
    torch.testing.assert_close(shares + made.bias(CELLS, given), made.embed(given), rtol=0, atol=1e-13)
    direct = original.eval()(given)
    cosine = nn.functional.cosine_similarity(made.embed(given), direct)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", LINEAR[:-1])
def test_what_is_pulled_is_the_slope_at_every_cell(name):
    """By finite differences, which are exact for a linear function up to rounding."""
    made, given = LinearHead(network(name).head), features(1)
    direction = torch.arange(1.0, 6.0, dtype=torch.float64)[None]
    pulled = made.pull(direction, CELLS)[0]
    for cell in [(0, 0, 0), (5, 3, 2), (2, 1, 3)]:
        moved = given.clone()
        moved[(0, *cell)] += 1
        slope = ((made.embed(moved) - made.embed(given)) * direction).sum()
        assert float(pulled[cell]) == pytest.approx(float(slope), abs=1e-12)


def test_equal_maxima_count_evenly():
    given = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    given[0, 0, 0, 0] = given[0, 0, 1, 1] = 4.0
    assert LinearHead(head("gmp")).values(given)[0, 0].tolist() == [[2, 0], [0, 2]]


def test_the_head_itself_is_left_alone():
    original = network("gap_bn", double=False).head
    LinearHead(original)
    assert original.training
    assert original.linear.weight.dtype == torch.float32
    assert original.linear.weight.requires_grad


@pytest.mark.parametrize("original", [head("l2_max"), nn.Linear(3, 3)])
def test_heads_that_are_no_sum_are_refused(original):
    with pytest.raises(Refused, match="is no sum over the cells") as caught:
        LinearHead(original)
    assert caught.value.code == "not_linear_head"
