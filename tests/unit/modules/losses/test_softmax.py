"""Cross-entropy, written out."""

import math

import pytest
import torch

from modules.losses.softmax import Config


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_equals_cross_entropy_written_out(smoothing: float) -> None:
    torch.manual_seed(0)
    loss = Config(label_smoothing=smoothing).build(4, 3).double()
    embeddings = torch.randn(5, 4, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 1, 0])
    total = 0.0
    for row, label in zip(loss.logits(embeddings).tolist(), labels.tolist(), strict=True):
        log_norm = math.log(sum(math.exp(value) for value in row))
        target = [smoothing / 3 + (1 - smoothing) * (index == label) for index in range(3)]
        total += sum(share * (log_norm - value) for share, value in zip(target, row, strict=True))
    assert loss(embeddings, labels).item() == pytest.approx(total / 5, abs=1e-12)


def test_logits_are_one_linear_layer_with_bias() -> None:
    loss = Config().build(4, 3)
    embeddings = torch.randn(2, 4)
    torch.testing.assert_close(loss.logits(embeddings), embeddings @ loss.linear.weight.T + loss.linear.bias)
