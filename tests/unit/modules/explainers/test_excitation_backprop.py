import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.excitation_backprop import ExcitationBackpropConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])
IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU())
        self.two = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU())

    def stages(self):
        return {"one": self.one, "two": self.two}

    def forward(self, images):
        return self.two(self.one(images))


class Net(nn.Module):
    """Scores are linear in averaged features."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.linear = Backbone(), nn.Linear(5, 4)
        self.loss = Loss()
        self.double()

    def head(self, features):
        return self.linear(features.mean((2, 3)))

    def features(self, images):
        return self.backbone(images)

    def embed(self, images):
        return self.head(self.features(images))


def winning(network, image, weights):
    """MWP (4, 4, 4) of the first stage, neuron by neuron: those of the second one are in proportion to response times
    weight, and each passes to the neurons in its window."""
    with torch.no_grad():
        below = network.backbone.one(image[None])[0].numpy()
        above = network.backbone.two(network.backbone.one(image[None]))[0].numpy()
    kernels = network.backbone.two[0].weight.detach().numpy()
    top = above * np.maximum(weights, 0)[:, None, None]
    top = top / top.sum()
    found = np.zeros_like(below)
    for k, y, x in zip(*np.nonzero(top), strict=True):
        parts = {}
        for channel in range(4):
            for dy in range(3):
                for dx in range(3):
                    place = (channel, y + dy - 1, x + dx - 1)
                    if 0 <= place[1] < 4 and 0 <= place[2] < 4 and kernels[k, channel, dy, dx] > 0:
                        parts[place] = below[place] * kernels[k, channel, dy, dx]
        total = sum(parts.values())
        for place, part in parts.items():
            found[place] += top[k, y, x] * part / total if total > 0 else 0
    return found


def explained(network, images, target, **settings):
    return ExcitationBackpropConfig(**settings).build().explain(network, images, target, images.shape[-1])


@pytest.mark.parametrize("contrastive", [False, True])
@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(8.0, dtype=torch.float64).view(2, 4) - 3)])
def test_maps_are_sums_over_neurons_in_the_layer(contrastive, target):
    network = Net().eval()
    found = explained(network, IMAGES, target, layer="one", contrastive=contrastive)
    assert (found.layer, found.layer_shape) == ("one", (4, 4, 4))
    linear = network.linear.weight.detach().numpy()
    for number in range(2):
        other = np.eye(4)[LABELS[number]] if isinstance(target, ClassLogit) else target.references[number].numpy()
        weights = other @ linear  # the norm of the embedding counts as a constant
        expected = winning(network, IMAGES[number], weights).sum(0)
        if contrastive:
            expected = np.maximum(expected - winning(network, IMAGES[number], -weights).sum(0), 0)
        else:
            assert expected.sum() == pytest.approx(1, abs=0.05)
        assert expected.max() > 0
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("backbone", "layer", "size"), [("resnet34", "layer2", 64), ("vgg16", "pool3", 64)])
def test_real_networks_pass_no_more_than_the_whole_probability(backbone, layer, size):
    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", backbone), head, resolve("loss", "softmax"), 5, size).eval()
    images = torch.rand(2, 3, size, size) * 2 - 1
    plain = explained(network, images, ClassLogit(LABELS), layer=layer).maps
    assert (plain >= 0).all()
    assert ((plain.sum((1, 2)) > 0.5) & (plain.sum((1, 2)) < 1.001)).all()
    contrastive = explained(network, images, ClassLogit(LABELS), layer=layer, contrastive=True).maps
    assert (contrastive <= plain + 1e-6).all()
    assert (contrastive.sum((1, 2)) > 0).all()
    assert not any(one.grad is not None for one in network.parameters())


def test_networks_without_rules_are_refused():
    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", "mobilenetv3_small"), head, resolve("loss", "softmax"), 5, 96).eval()
    with pytest.raises(Refused, match=r"no rule for .*Hardswish") as caught:
        explained(network, torch.rand(2, 3, 96, 96), ClassLogit(LABELS), min_side=6)
    assert caught.value.code == "not_relu"


def test_it_is_found_by_name():
    assert resolve("explainer", "excitation_backprop") == ExcitationBackpropConfig()
