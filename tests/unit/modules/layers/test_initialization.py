"""How weights are drawn."""

import torch
from torch import nn

from modules.layers.initialization import gaussian, he
from modules.layers.locally_connected import LocallyConnected


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(8, 200, 5), LocallyConnected(50, 40, (6, 6), 3), nn.Linear(400, 100))


def test_he_gives_two_over_fan_in() -> None:
    network = _network()
    he(network)
    for layer, inputs in zip(network, (8 * 25, 50 * 9, 400), strict=True):
        assert abs(layer.weight.std().item() / (2 / inputs) ** 0.5 - 1) < 0.02
        assert abs(layer.weight.mean().item()) < 0.02 * (2 / inputs) ** 0.5
        assert not layer.bias.any()


def test_he_keeps_the_size_of_what_passes_through_relu() -> None:
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"), nn.ReLU())]
    network = nn.Sequential(*layers)
    he(network)
    images = torch.randn(2, 64, 8, 8)
    assert 0.3 < network(images).square().mean() < 3


def test_gaussian_gives_the_papers_numbers() -> None:
    network = _network()
    gaussian(network)
    for layer in network:
        assert abs(layer.weight.std().item() / 0.01 - 1) < 0.02
        assert bool((layer.bias == 0.5).all())


def test_a_layer_without_bias_is_drawn_too() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    he(network)
    assert bool((network[1].weight == 1).all())
