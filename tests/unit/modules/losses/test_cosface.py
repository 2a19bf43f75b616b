"""CosFace against its equation, and against pytorch-metric-learning."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from losses_written_out import built, value_and_gradients

from modules.losses.cosface import CosFaceConfig


def example(seed=0):
    torch.manual_seed(seed)
    return torch.randn(9, 5, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64), torch.randint(6, (9,))


def written_out(embeddings, weight, labels, scale, margin):
    total = torch.zeros((), dtype=torch.float64)
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        cosines = [(x @ w) / (x.norm() * w.norm()) for w in weight]
        true = torch.exp(scale * (cosines[label] - margin))
        others = sum(torch.exp(scale * cos) for number, cos in enumerate(cosines) if number != label)
        total = total - torch.log(true / (true + others))
    return total / len(embeddings)


@pytest.mark.parametrize(("margin", "scale"), [(0.35, 64.0), (0.4, 30.0), (0.0, 8.0)])
def test_value_and_gradients_equal_the_equation_written_out(margin, scale):
    embeddings, weight, labels = example()
    loss = built(CosFaceConfig(margin=margin, scale=scale), weight)
    found = value_and_gradients(lambda x, w: torch.func.functional_call(loss, {"weight": w}, (x, labels)), embeddings, weight)
    expected = value_and_gradients(lambda x, w: written_out(x, w, labels, scale, margin), embeddings, weight)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_it_equals_pytorch_metric_learning():
    from pytorch_metric_learning.losses import CosFaceLoss

    embeddings, weight, labels = example(1)
    peer = CosFaceLoss(num_classes=6, embedding_size=5, margin=0.35, scale=64).double()
    peer.W.data = weight.T.clone()
    found = value_and_gradients(lambda x: built(CosFaceConfig(), weight)(x, labels), embeddings)
    for one, other in zip(found, value_and_gradients(lambda x: peer(x, labels), embeddings), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_it_is_finite_in_half_precision_at_the_ends(dtype, cosine):
    loss = CosFaceConfig().build(4, 3).to(dtype)
    rows = (cosine * loss.weight.detach()).clone().requires_grad_()
    value = loss(rows, torch.arange(3))
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()


@settings(max_examples=40, deadline=None)
@given(margins=st.tuples(st.floats(0, 2), st.floats(0, 2)), seed=st.integers(0, 10**6))
def test_a_larger_margin_never_lowers_the_loss(margins, seed):
    low, high = sorted(margins)
    embeddings, weight, labels = example(seed)
    values = [built(CosFaceConfig(margin=margin, scale=8), weight)(embeddings, labels).item() for margin in (low, high)]
    assert values[0] <= values[1] + 1e-12
