"""Binary cross-entropy with one logit, written out."""

import math

import pytest
import torch

from modules.losses.binary import BinaryConfig


def test_it_equals_binary_cross_entropy_written_out() -> None:
    torch.manual_seed(0)
    loss = BinaryConfig().build(4, 2).double()
    embeddings, labels = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    z = (embeddings @ loss.linear.weight[0] + loss.linear.bias).tolist()
    total = 0.0
    for value, label in zip(z, labels.tolist(), strict=True):
        p = 1 / (1 + math.exp(-value))
        total -= math.log(p) if label else math.log(1 - p)
    assert loss(embeddings, labels).item() == pytest.approx(total / 5, abs=1e-12)


def test_the_softmax_of_its_logits_is_the_sigmoid() -> None:
    torch.manual_seed(0)
    loss = BinaryConfig().build(4, 2).double()
    embeddings = torch.randn(5, 4, dtype=torch.float64)
    sigmoid = torch.sigmoid(loss.linear(embeddings).squeeze(1))
    torch.testing.assert_close(loss.logits(embeddings).softmax(1)[:, 1], sigmoid)
    assert sum(parameter.numel() for parameter in loss.parameters()) == 5


def test_large_logits_stay_finite_with_finite_gradients() -> None:
    loss = BinaryConfig().build(1, 2)
    with torch.no_grad():
        loss.linear.weight.fill_(1)
        loss.linear.bias.zero_()
    rows = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    value = loss(rows, torch.tensor([0, 1]))
    value.backward()
    assert value.item() == pytest.approx(1e4)
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


def test_other_numbers_of_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="one logit for two classes, and there are 3; use softmax"):
        BinaryConfig().build(4, 3)
