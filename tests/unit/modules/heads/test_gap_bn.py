"""The study's head."""

import pytest
import torch
from pydantic import ValidationError

from modules.heads.gap_bn import GapBnConfig


def test_it_equals_the_formula_written_out() -> None:
    torch.manual_seed(0)
    head = GapBnConfig(dimension=3).build(4, 5, 6).eval()
    head.norm.running_mean.uniform_(-1, 1)
    head.norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 4, 5, 6)
    for row in range(2):
        pooled = [features[row, channel].sum().item() / 30 for channel in range(4)]
        scaled = [
            (pooled[c] - head.norm.running_mean[c].item()) / (head.norm.running_var[c].item() + 1e-5) ** 0.5 for c in range(4)
        ]
        for out in range(3):
            wanted = sum(head.linear.weight[out, c].item() * scaled[c] for c in range(4)) + head.linear.bias[out].item()
            assert head(features)[row, out].item() == pytest.approx(wanted, abs=1e-5)


def test_defaults_are_those_of_the_study() -> None:
    head = GapBnConfig().build(256, 4, 4)
    assert (head.linear.out_features, head.dropout.p) == (512, 0.5)
    assert sum(value.numel() for value in head.parameters()) == 2 * 256 + 256 * 512 + 512


def test_dropout_works_in_training_only() -> None:
    head = GapBnConfig().build(8, 1, 1)
    features = torch.randn(4, 8, 1, 1)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


def test_a_dropout_of_one_is_refused() -> None:
    with pytest.raises(ValidationError):
        GapBnConfig(dropout=1.0)
