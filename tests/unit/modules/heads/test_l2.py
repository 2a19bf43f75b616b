"""FaceNet's small head."""

import pytest
import torch

from modules.heads.l2 import L2Config


@pytest.mark.parametrize("pool", ["average", "max", "flatten"])
def test_embeddings_have_length_one_and_the_direction_of_the_linear_layer(pool: str) -> None:
    torch.manual_seed(0)
    head = L2Config(pool=pool, dimension=7).build(4, 3, 2)  # type: ignore[arg-type]
    features = torch.randn(5, 4, 3, 2)
    vectors = {"average": features.mean((2, 3)), "max": features.amax((2, 3)), "flatten": features.flatten(1)}[pool]
    linear = vectors @ head.linear.weight.T + head.linear.bias
    wanted = linear / linear.square().sum(1, keepdim=True).sqrt()
    assert torch.allclose(head(features), wanted, atol=1e-6)


def test_the_default_is_the_papers() -> None:
    head = L2Config().build(1024, 7, 7)
    assert sum(value.numel() for value in head.parameters()) == 1024 * 128 + 128  # the table's 131K
    assert head.pool == "average"


def test_half_precision_gives_finite_float32() -> None:
    head = L2Config(dimension=4).build(2, 1, 1).half()
    features = torch.full((1, 2, 1, 1), 20_000.0, dtype=torch.float16)
    found = head(features)
    assert found.dtype == torch.float32
    assert found.norm().item() == pytest.approx(1, abs=1e-5)
    assert L2Config(dimension=4).build(2, 1, 1).double()(features.double()).dtype == torch.float64


def test_a_vector_of_zeros_gives_no_nan() -> None:
    head = L2Config(dimension=4).build(2, 1, 1)
    torch.nn.init.zeros_(head.linear.bias)
    features = torch.zeros(1, 2, 1, 1, requires_grad=True)
    head(features).sum().backward()
    assert features.grad is not None
    assert bool(features.grad.isfinite().all())
    assert not head(features).any()
