"""The layers of FaceNet's networks against formulas written out."""

import pytest
import torch
from torch import nn

from modules.layers.facenet import FaceNetBackbone, L2Pool, ResponseNorm, convolution, max_pool


@pytest.mark.parametrize("stride", [1, 2])
def test_l2_pooling_is_the_root_of_the_mean_square(stride: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    found = L2Pool(stride)(features)
    for channel in range(2):
        for row, y in enumerate(range(0, 5, stride)):
            for column, x in enumerate(range(0, 6, stride)):
                window = features[0, channel, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                wanted = (sum(value.item() ** 2 for value in window.flatten()) / window.numel()) ** 0.5
                assert found[0, channel, row, column].item() == pytest.approx(wanted, abs=1e-6)


def test_l2_pooling_of_zeros_has_a_gradient_of_zero() -> None:
    features = torch.zeros(1, 1, 4, 4, requires_grad=True)
    pooled = L2Pool()(features)
    pooled.sum().backward()
    assert not pooled.any()
    assert features.grad is not None
    assert not features.grad.any()


def test_l2_pooling_has_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    features = torch.rand(1, 1, 3, 4, dtype=torch.float64, requires_grad=True) + 0.1
    assert torch.autograd.gradcheck(L2Pool(), features, eps=1e-3, atol=1e-3)  # the layer computes in float32


@pytest.mark.parametrize("layer", [L2Pool(), ResponseNorm()])
def test_large_values_stay_finite_in_half_precision(layer: nn.Module) -> None:
    features = torch.full((1, 5, 3, 3), 1000.0, dtype=torch.float16)
    found = layer(features)
    assert found.dtype == torch.float16
    assert bool(found.isfinite().all())
    assert torch.allclose(found.float(), layer(features.float()), rtol=2e-3)


def test_response_normalization_is_krizhevskys_formula() -> None:
    torch.manual_seed(0)
    features = 50 * torch.randn(1, 9, 2, 2)
    found = ResponseNorm()(features)
    for channel in range(9):
        near = features[0, max(0, channel - 2) : channel + 3, 1, 0]
        wanted = features[0, channel, 1, 0].item() / (2 + 1e-4 * sum(v.item() ** 2 for v in near)) ** 0.75
        assert found[0, channel, 1, 0].item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 5, 9])
def test_response_normalization_is_that_of_torch_in_value_and_gradient(channels: int) -> None:
    torch.manual_seed(0)
    ours = 30 * torch.randn(2, channels, 3, 4, dtype=torch.float64)
    theirs = ours.clone().requires_grad_()
    ours.requires_grad_()
    weights = torch.randn_like(ours)
    mean_instead_of_sum = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    found, wanted = ResponseNorm()(ours), mean_instead_of_sum(theirs)
    assert torch.allclose(found, wanted, rtol=1e-13, atol=0)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert ours.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-11, atol=1e-13)


def test_response_normalization_needs_no_pooling_whose_gradient_is_not_deterministic_on_cuda() -> None:
    features = torch.randn(1, 6, 3, 3, requires_grad=True)
    with torch.profiler.profile() as profile:
        ResponseNorm()(features).sum().backward()
    assert not {event.name for event in profile.events() if "pool" in event.name}


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("cells", [7, 8])
def test_cells_are_halved_and_rounded_up(kernel: int, stride: int, cells: int) -> None:
    features = torch.zeros(1, 2, cells, cells)
    for layer in (convolution(2, 2, kernel, stride=stride), max_pool(stride), L2Pool(stride)):
        assert layer(features).shape[2] == -(-cells // stride)


def test_batch_normalization_takes_the_place_of_the_bias() -> None:
    plain, normed = convolution(2, 3, 3), convolution(2, 3, 3, batch_norm=True)
    assert [type(layer).__name__ for layer in normed] == ["Conv2d", "BatchNorm2d", "ReLU"]
    assert sum(v.numel() for v in plain.parameters()) == 2 * 3 * 9 + 3
    assert sum(v.numel() for v in normed.parameters()) == 2 * 3 * 9 + 2 * 3


def test_layers_run_in_order_and_are_the_stages() -> None:
    backbone = FaceNetBackbone({"one": convolution(3, 4, 3), "two": max_pool()}, 4)
    images = torch.randn(1, 3, 6, 6)
    assert list(backbone.stages()) == ["one", "two"]
    assert torch.equal(backbone(images), max_pool()(backbone.layers.one(images)))
