"""The ArcFace family's head."""

import pytest
import torch

from modules.heads.fc_bn import FcBnConfig


def test_it_equals_the_formula_written_out() -> None:
    torch.manual_seed(0)
    head = FcBnConfig(dimension=3, affine="full").build(4, 2, 3).double().eval()
    for norm in (head.norm, head.out):
        for value in (norm.running_mean, norm.weight.data, norm.bias.data):
            value.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    features = torch.randn(2, 4, 2, 3, dtype=torch.float64)
    for row in range(2):
        values = [
            ((features[row, c, y, x] - head.norm.running_mean[c]) / (head.norm.running_var[c] + 1e-5) ** 0.5).item()
            * head.norm.weight[c].item()
            + head.norm.bias[c].item()
            for c in range(4)
            for y in range(2)
            for x in range(3)
        ]
        for out in range(3):
            linear = sum(head.linear.weight[out, k].item() * values[k] for k in range(24)) + head.linear.bias[out].item()
            scaled = (linear - head.out.running_mean[out].item()) / (head.out.running_var[out].item() + 1e-5) ** 0.5
            wanted = scaled * head.out.weight[out].item() + head.out.bias[out].item()
            assert head(features)[row, out].item() == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("affine", "learned"), [("bias", [False, True]), ("full", [True, True]), ("none", [])])
def test_what_the_last_normalization_learns(affine: str, learned: list[bool]) -> None:
    head = FcBnConfig(dimension=3, affine=affine).build(4, 2, 2)
    assert [value.requires_grad for value in head.out.parameters()] == learned
    assert all(bool((value == start).all()) for value, start in zip(head.out.parameters(), (1, 0), strict=False))
    head(torch.randn(5, 4, 2, 2)).square().sum().backward()
    assert all(value.grad is not None for value in head.parameters() if value.requires_grad)


def test_embeddings_of_a_batch_have_mean_0_and_deviation_1_at_first() -> None:
    torch.manual_seed(0)
    found = FcBnConfig(dimension=6).build(4, 2, 2)(torch.randn(500, 4, 2, 2) * 7 + 3)
    torch.testing.assert_close(found.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(6), atol=1e-3, rtol=0)


def test_dropout_works_in_training_only_and_is_off_by_default() -> None:
    features = torch.randn(4, 8, 2, 2)
    assert torch.equal((plain := FcBnConfig().build(8, 2, 2))(features), plain(features))
    head = FcBnConfig(dropout=0.4).build(8, 2, 2)
    assert not torch.equal(head(features), head(features))
    assert torch.equal(head.eval()(features), head(features))
