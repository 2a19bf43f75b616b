import numpy as np
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.gradient import GradientConfig

IMAGES = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
LABELS = torch.tensor([2, 0])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(inplace=True), nn.Flatten(), nn.Linear(64, 5)).double()
        self.loss = Loss()

    def embed(self, images):
        return self.body(images)

    def forward(self, images):
        return self.embed(images)


def slopes(score, image, step=1e-6):
    """(3, H, W) by central differences."""
    found = np.zeros(tuple(image.shape))
    for place in np.ndindex(*image.shape):
        moved = torch.zeros_like(image)
        moved[place] = step
        found[place] = (score(image + moved) - score(image - moved)) / (2 * step)
    return found


def test_a_map_is_the_largest_slope_over_the_channels():
    network = Net()
    found = GradientConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    for number, label in enumerate(LABELS.tolist()):
        expected = slopes(lambda image, label=label: float(network(image[None])[0, label].detach()), IMAGES[number])
        np.testing.assert_allclose(found.maps[number], np.abs(expected).max(0), rtol=1e-5, atol=1e-8)


def test_of_a_cosine_the_images_own_norm_is_held_fixed():
    network, references = Net(), torch.randn(2, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = GradientConfig().build().explain(network, IMAGES, Cosine(references), 6)
    for number in range(2):
        length = network(IMAGES[number][None]).norm().detach()
        unit = references[number] / references[number].norm()
        expected = slopes(lambda image, u=unit, s=length: float(network(image[None])[0].detach() @ u / s), IMAGES[number])
        np.testing.assert_allclose(found.maps[number], np.abs(expected).max(0), rtol=1e-5, atol=1e-8)


def test_it_equals_captum():
    from captum.attr import Saliency

    network = Net()
    found = GradientConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 6)
    expected = Saliency(network).attribute(IMAGES.clone().requires_grad_(), LABELS).amax(1).numpy()
    np.testing.assert_allclose(found.maps, expected, rtol=1e-6)


def test_it_is_found_by_name():
    assert resolve("explainer", "gradient") == GradientConfig()
