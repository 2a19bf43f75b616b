"""DeepFace's F7."""

import pytest
import torch
from pydantic import ValidationError

from modules.heads.deepface_f7 import DeepFaceF7Config, Peaks


def test_it_is_a_linear_layer_with_relu() -> None:
    torch.manual_seed(0)
    head = DeepFaceF7Config(dimension=5).build(2, 3, 4).eval()
    features = torch.randn(6, 2, 3, 4)
    wanted = (features.reshape(6, 24) @ head.linear.weight.T + head.linear.bias).clamp(min=0)
    assert torch.allclose(head(features), wanted, atol=1e-6)
    assert 0 < (wanted > 0).double().mean() < 1


def test_parameters_at_the_papers_map_are_28_9_million() -> None:
    with torch.device("meta"):
        head = DeepFaceF7Config().build(16, 21, 21)
    assert sum(value.numel() for value in head.parameters()) == 4096 * 7056 + 4096


def test_dropout_works_in_training_only() -> None:
    torch.manual_seed(0)
    head = DeepFaceF7Config(dimension=50).build(2, 2, 2)
    features = torch.randn(2, 2, 2, 2)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))
    with pytest.raises(ValidationError):
        DeepFaceF7Config(dropout=1.0)


def test_outputs_are_divided_by_the_largest_seen_in_training() -> None:
    peaks = Peaks(3)
    first = peaks(torch.tensor([[1.0, 0.0, 4.0], [2.0, 0.01, 3.0]]))
    assert torch.allclose(first, torch.tensor([[0.5, 0.0, 1.0], [1.0, 0.2, 0.75]]))  # never divided by less than 0.05
    peaks(torch.tensor([[1.0, 0.0, 8.0]]))
    assert torch.allclose(peaks.peak, torch.tensor([1.998, 0.00999, 8.0]))
    peaks.eval()
    before = peaks.peak.clone()
    assert torch.allclose(peaks(torch.tensor([[1.998, 1.0, 16.0]])), torch.tensor([[1.0, 20.0, 2.0]]))
    assert torch.equal(peaks.peak, before)


def test_no_derivative_passes_through_a_peak() -> None:
    vectors = torch.tensor([[2.0, 4.0]], requires_grad=True)
    Peaks(2)(vectors).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.tolist() == [[0.5, 0.25]]


def test_peaks_are_part_of_the_weights_and_off_by_default() -> None:
    assert "peaks.peak" in DeepFaceF7Config(normalize=True, dimension=3).build(1, 1, 1).state_dict()
    assert list(DeepFaceF7Config(dimension=3).build(1, 1, 1).state_dict()) == ["linear.weight", "linear.bias"]
    head = DeepFaceF7Config(normalize=True, dimension=3, dropout=0).build(2, 1, 1)
    assert head(100 * torch.randn(8, 2, 1, 1)).max() <= 1


def test_the_papers_weights_are_drawn_on_request() -> None:
    head = DeepFaceF7Config(dimension=100, initial="gaussian").build(100, 1, 1)
    assert bool((head.linear.bias == 0.5).all())
    assert head.linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not DeepFaceF7Config(dimension=9).build(9, 1, 1).linear.bias.any()
