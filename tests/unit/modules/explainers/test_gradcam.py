import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Attribution, Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.gradcam import GradCAMConfig


class Backbone(nn.Module):
    channels = 6

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.ReLU(inplace=True))
        self.two = nn.Sequential(nn.Conv2d(5, 6, 3, 2, 1), nn.BatchNorm2d(6))
        self.act = nn.ReLU(inplace=True)
        self.three = nn.Sequential(nn.Conv2d(6, 6, 3, 2, 1), nn.Tanh())

    def stages(self):
        return {"one": self.one, "two": self.two, "three": self.three}

    def forward(self, images):
        return self.three(self.act(self.two(self.one(images))))


class Net(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = Backbone()
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.LazyLinear(7))

        self.loss = Loss()

    def embed(self, images):
        return self.head(self.backbone(images))


@pytest.fixture
def network():
    net = Net().double()
    with torch.no_grad():
        net.eval().embed(torch.zeros(1, 3, 16, 16, dtype=torch.float64))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return net.train()


def images(count=3, seed=1, size=16):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TARGETS = torch.tensor([2, 0, 5])


def literal(network, layer, image, target):
    """The two equations, with the layer's output recomputed by hand and numbers added one by one."""
    body = network.backbone
    activation = body.one(image[None])
    if layer in ("two", "three"):
        activation = body.two(activation)
    if layer == "three":
        activation = body.three(torch.relu(activation))
    activation = activation.detach().requires_grad_()
    rest = activation
    if layer == "one":
        rest = body.two(rest)
    if layer in ("one", "two"):
        rest = body.three(torch.relu(rest))
    network.head(rest)[0, target].backward()
    _, channels, height, width = activation.shape
    out = np.zeros((height, width))
    for k in range(channels):
        weight = sum(float(activation.grad[0, k, i, j]) for i in range(height) for j in range(width)) / (height * width)
        for i in range(height):
            for j in range(width):
                out[i, j] += weight * float(activation[0, k, i, j])
    return np.maximum(out, 0)


@pytest.mark.parametrize("layer", ["one", "two", "three"])
def test_maps_are_the_two_equations(network, layer):
    found = GradCAMConfig(layer=layer).build().explain(network, images(), ClassLogit(TARGETS), 16)
    network.eval()
    for index in range(3):
        np.testing.assert_allclose(found.maps[index], literal(network, layer, images()[index], int(TARGETS[index])), atol=1e-7)
    assert found.maps.any()


def test_weights_agree_with_finite_differences(network):
    """A weight is how the logit changes when a whole channel grows, over the number of positions."""
    network.eval()
    image, step = images(1), 1e-6
    found = GradCAMConfig(layer="three").build()
    activation = network.backbone(image).detach()
    weights = []
    for k in range(6):
        up, down = activation.clone(), activation.clone()
        up[0, k] += step
        down[0, k] -= step
        weights.append(float((network.head(up) - network.head(down))[0, 4]) / (2 * step) / activation[0, k].numel())
    expected = torch.relu(sum(weight * activation[0, k] for k, weight in enumerate(weights))).detach().numpy()
    np.testing.assert_allclose(found.explain(network, image, ClassLogit(torch.tensor([4])), 16).maps[0], expected, atol=1e-7)


def test_the_default_layer_is_the_deepest_of_at_least_four_by_four(network):
    found = GradCAMConfig().build().explain(network, images(), ClassLogit(TARGETS), 16)
    assert (found.layer, found.layer_shape, found.maps.shape) == ("two", (6, 4, 4), (3, 4, 4))
    assert found.maps.dtype == np.float32


def test_too_coarse_stages_are_refused_with_their_shapes(network):
    with pytest.raises(Refused, match="one 8x8, two 4x4, three 2x2") as caught:
        GradCAMConfig(min_side=9).build().explain(network, images(), ClassLogit(TARGETS), 16)
    assert caught.value.code == "layer_too_coarse"


def test_an_unknown_layer_is_refused_with_the_known_ones(network):
    with pytest.raises(ValueError, match="known: one, two, three"):
        GradCAMConfig(layer="four").build().explain(network, images(), ClassLogit(TARGETS), 16)


def test_a_map_does_not_depend_on_the_other_images(network):
    explainer = GradCAMConfig().build()
    together = explainer.explain(network, images(), ClassLogit(TARGETS), 16).maps
    for index in range(3):
        alone = explainer.explain(network, images()[index : index + 1], ClassLogit(TARGETS[index : index + 1]), 16).maps
        np.testing.assert_array_equal(alone[0], together[index])


def test_a_map_depends_on_its_image_and_its_target(network):
    explainer = GradCAMConfig().build()
    one = explainer.explain(network, images(), ClassLogit(TARGETS), 16).maps
    assert not np.allclose(one, explainer.explain(network, images(seed=2), ClassLogit(TARGETS), 16).maps)
    assert not np.allclose(one, explainer.explain(network, images(), ClassLogit(TARGETS + 1), 16).maps)


def test_the_cosine_with_another_image_can_be_explained(network):
    """Equation 1 by finite differences of the cosine, its norm held fixed."""
    network.eval()
    image, other = images(1)[0], images(1, seed=5)[0]
    with torch.no_grad():
        reference = network.embed(other[None])
    found = GradCAMConfig(layer="three").build().explain(network, image[None], Cosine(reference), 16).maps[0]
    activation = network.backbone(image[None]).detach()
    length = network.head(activation).norm().detach()
    unit = (reference / reference.norm())[0]

    def score(moved):
        return float(network.head(moved)[0] @ unit / length)

    expected = torch.zeros(activation.shape[2:], dtype=torch.float64)
    for k in range(activation.shape[1]):
        slope = 0.0
        for place in np.ndindex(*activation.shape[2:]):
            step = torch.zeros_like(activation)
            step[(0, k, *place)] = 1e-6
            slope += (score(activation + step) - score(activation - step)) / 2e-6
        expected += slope / activation[0, 0].numel() * activation[0, k]
    np.testing.assert_allclose(found, expected.clamp(min=0), rtol=1e-4, atol=1e-8)


def test_the_network_is_left_as_it_was(network):
    network.backbone.two.eval()
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    GradCAMConfig().build().explain(network, images(), ClassLogit(TARGETS), 16)
    with pytest.raises(RuntimeError):
        GradCAMConfig().build().explain(network, images(), ClassLogit(TARGETS + 100), 16)
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_it_works_where_gradients_are_off(network):
    with torch.no_grad():
        off = GradCAMConfig().build().explain(network, images(), ClassLogit(TARGETS), 16).maps
    np.testing.assert_array_equal(off, GradCAMConfig().build().explain(network, images(), ClassLogit(TARGETS), 16).maps)


class OnePlace(nn.Module):
    """Its class 1 looks at brightness in the upper right quarter alone."""

    class _Backbone(nn.Module):
        channels = 1

        def __init__(self):
            super().__init__()
            self.pool = nn.AvgPool2d(2)

        def stages(self):
            return {"pool": self.pool}

        def forward(self, images):
            return self.pool(images)

    def __init__(self):
        super().__init__()
        self.backbone = self._Backbone()
        self.loss = Loss()

    def embed(self, images):
        found = self.backbone(images).mean(1)
        score = (found[:, :4, 4:] ** 2).sum((1, 2))
        return torch.stack([-score, score], 1)


def test_a_map_peaks_at_the_planted_patch():
    image = torch.full((1, 3, 16, 16), 0.05)
    image[:, :, 4:6, 12:14] = 1.0
    found = GradCAMConfig().build().explain(OnePlace(), image, ClassLogit(torch.tensor([1])), 16)
    assert np.unravel_index(found.maps[0].argmax(), (8, 8)) == (2, 6)


def test_an_empty_map_is_noted():
    image = torch.full((1, 3, 16, 16), 0.5)
    found = GradCAMConfig().build().explain(OnePlace(), image, ClassLogit(torch.tensor([0])), 16)
    assert found.notes["empty_maps"] == [0]
    assert not found.maps.any()


def test_maps_with_nan_are_refused():
    with pytest.raises(Refused, match="1 of 2 maps") as caught:
        Attribution(np.array([[[0.0]], [[np.nan]]], np.float32), "x", (1, 1, 1), "y")
    assert caught.value.code == "not_finite"


def test_it_is_found_by_name():
    assert resolve("explainer", "gradcam") == GradCAMConfig()
