import numpy as np
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.targets import ClassLogit
from modules.explainers.gradient_x_input import GradientXInputConfig

IMAGES = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
LABELS = torch.tensor([2, 0])


class Net(nn.Module):
    def __init__(self, *middle):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), *middle, nn.Flatten(), nn.Linear(64, 5, bias=False)).double()
        self.loss = Loss()

    def embed(self, images):
        return self.body(images)

    def forward(self, images):
        return self.embed(images)


def test_a_map_is_the_product_summed_over_the_channels():
    """By the slope along each pixel's own color: growing a pixel by a share t adds t times its value in the map."""
    network, step = Net(nn.SiLU()), 1e-6
    found = GradientXInputConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    for number, label in enumerate(LABELS.tolist()):
        image = IMAGES[number]
        for row, column in np.ndindex(6, 6):
            grown = torch.zeros_like(image)
            grown[:, row, column] = step * image[:, row, column]
            ends = [float(network((image + sign * grown)[None])[0, label].detach()) for sign in (1, -1)]
            np.testing.assert_allclose(found.maps[number, row, column], (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_of_a_linear_network_a_map_sums_to_the_score():
    network = Net()
    found = GradientXInputConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    scores = network(IMAGES).gather(1, LABELS[:, None])[:, 0].detach().numpy()
    np.testing.assert_allclose(found.maps.sum((1, 2), dtype=np.float64), scores, rtol=1e-5)


def test_of_a_network_of_relu_without_biases_too():
    network = Net(nn.ReLU())
    found = GradientXInputConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    scores = network(IMAGES).gather(1, LABELS[:, None])[:, 0].detach().numpy()
    np.testing.assert_allclose(found.maps.sum((1, 2), dtype=np.float64), scores, rtol=1e-5)


def test_it_equals_captum():
    from captum.attr import InputXGradient

    network = Net(nn.SiLU())
    found = GradientXInputConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    expected = InputXGradient(network).attribute(IMAGES.clone().requires_grad_(), LABELS).sum(1).detach().numpy()
    np.testing.assert_allclose(found.maps, expected, rtol=1e-5, atol=1e-8)


def test_it_is_found_by_name():
    assert resolve("explainer", "gradient_x_input") == GradientXInputConfig()


def test_absolute_maps_are_the_magnitudes_and_unsigned():
    network = Net(nn.SiLU())
    signed = GradientXInputConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    absolute = GradientXInputConfig(absolute=True).build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    assert signed.maps.min() < 0
    assert np.array_equal(absolute.maps, np.abs(signed.maps))
    assert (signed.signed, absolute.signed) == (True, False)
