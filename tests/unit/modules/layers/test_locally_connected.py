"""Locally connected layers against a loop over every place."""

import pytest
import torch

from modules.layers.locally_connected import LocallyConnected


def _naive(layer: LocallyConnected, images: torch.Tensor) -> torch.Tensor:
    kernel, stride = layer.kernel, layer.stride
    height, width = layer.out_size
    rows = []
    for y in range(height):
        for x in range(width):
            window = images[:, :, stride * y : stride * y + kernel, stride * x : stride * x + kernel]
            weight = layer.weight[y * width + x].reshape(-1, kernel, kernel, images.shape[1]).permute(0, 3, 1, 2)
            rows.append((window.unsqueeze(1) * weight).sum((2, 3, 4)) + layer.bias[:, y, x])
    return torch.stack(rows, 2).unflatten(2, (height, width))


@pytest.mark.parametrize(
    ("kernel", "stride", "size"), [(3, 1, (6, 5)), (3, 2, (8, 7)), (5, 1, (5, 5)), (2, 3, (9, 8)), (1, 1, (2, 3))]
)
def test_value_and_gradients_are_those_of_the_loop(kernel: int, stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = LocallyConnected(3, 4, size, kernel, stride).double()
    found: list[list[torch.Tensor]] = []
    for function in (layer, lambda images: _naive(layer, images)):
        images = torch.linspace(-1, 1, 2 * 3 * size[0] * size[1], dtype=torch.float64).sin().view(2, 3, *size).requires_grad_()
        maps = function(images)
        loss = (maps * torch.arange(maps.numel(), dtype=torch.float64).cos().view_as(maps)).sum()
        found.append([maps, *torch.autograd.grad(loss, [images, layer.weight, layer.bias])])
    for ours, wanted in zip(*found, strict=True):
        assert ours.shape == wanted.shape
        assert torch.allclose(ours, wanted, rtol=0, atol=1e-12)


def test_it_is_a_convolution_where_all_places_have_the_same_weights() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected(3, 4, (9, 9), 3, 2)
    convolution = torch.nn.Conv2d(3, 4, 3, 2)
    with torch.no_grad():
        layer.weight.copy_(convolution.weight.permute(0, 2, 3, 1).flatten(1).expand_as(layer.weight))
        layer.bias.copy_(convolution.bias.view(4, 1, 1).expand_as(layer.bias))  # type: ignore[union-attr]
    images = torch.randn(2, 3, 9, 9)
    assert torch.allclose(layer(images), convolution(images), atol=1e-6)
    channels_last = images.to(memory_format=torch.channels_last)
    assert torch.allclose(layer(channels_last), convolution(images), atol=1e-6)


def test_another_map_size_is_refused() -> None:
    layer = LocallyConnected(1, 1, (6, 5), 3)
    with pytest.raises(ValueError, match=r"for \(6, 5\) cells met a map of \(5, 6\)"):
        layer(torch.zeros(1, 1, 5, 6))
    with pytest.raises(ValueError, match="kernel 3 cannot work on a map of 2 x 9"):
        LocallyConnected(1, 1, (2, 9), 3)


def test_under_autocast_its_output_has_the_lower_precision() -> None:
    layer = LocallyConnected(2, 3, (4, 4), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.randn(1, 2, 4, 4)).dtype == torch.bfloat16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_the_same() -> None:
    torch.manual_seed(0)
    layer = LocallyConnected(3, 4, (7, 7), 3).double()
    images = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    wanted = layer(images)
    assert torch.allclose(layer.cuda()(images.cuda()).cpu(), wanted, atol=1e-12)
