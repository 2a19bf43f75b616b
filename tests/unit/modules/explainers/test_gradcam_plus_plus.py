import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Target
from modules.explainers.gradcam_plus_plus import GradCAMPlusPlusConfig
from modules.network import Network

IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
LABELS = torch.tensor([2, 0])


class Backbone(nn.Module):
    channels = 6

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(inplace=True))
        self.two = nn.Conv2d(6, 6, 3, 1, 1)
        self.act = nn.ReLU(inplace=True)

    def stages(self):
        return {"one": self.one, "two": self.two, "act": self.act}

    def forward(self, images):
        return self.act(self.two(self.one(images)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = Backbone()
        self.head = nn.Sequential(nn.Conv2d(6, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(96, 5))
        self.loss = Loss()
        self.double()

    def embed(self, images):
        return self.head(self.backbone(images))


class Scaled(Target):
    """A logit, times a number."""

    words = "scaled logit"

    def __init__(self, labels, scale):
        self.inner, self.scale = ClassLogit(labels), scale

    def scores(self, network, embeddings):
        return self.scale * self.inner.scores(network, embeddings)

    def take(self, rows):
        return Scaled(self.inner.take(rows).labels, self.scale)

    def __len__(self):
        return len(self.inner)


def literal(activation, gradient):
    """Equations 19 and 5 as they are printed, number by number, with Y = exp(S) and the factor exp(S) divided out."""
    channels, height, width = activation.shape
    found = np.zeros((height, width))
    for k in range(channels):
        total = sum(activation[k, a, b] for a in range(height) for b in range(width))
        weight = 0.0
        for i in range(height):
            for j in range(width):
                g = gradient[k, i, j]
                below = 2 * g**2 + total * g**3
                alpha = g**2 / below if below != 0 else 0.0
                weight += alpha * max(g, 0)
        found += weight * activation[k]
    return np.maximum(found, 0)


@pytest.mark.parametrize("layer", ["one", "act"])
@pytest.mark.parametrize("scale", [1.0, 30.0, -1.0])
def test_maps_are_the_equations(layer, scale):
    network = Net()
    found = GradCAMPlusPlusConfig(layer=layer).build().explain(network, IMAGES, Scaled(LABELS, scale), 12)
    for number, label in enumerate(LABELS.tolist()):
        activation = network.backbone.one(IMAGES[number][None])
        if layer == "act":
            activation = torch.relu(network.backbone.two(activation))
        activation = activation.detach().requires_grad_()
        rest = activation if layer == "act" else torch.relu(network.backbone.two(activation))
        (scale * network.head(rest)[0, label]).backward()
        expected = literal(activation[0].detach().numpy(), activation.grad[0].numpy())
        assert expected.max() > 0
        np.testing.assert_allclose(found.maps[number], expected.astype(np.float32), rtol=1e-6, atol=1e-12)


def test_in_float64_the_map_itself_is_exact():
    random = np.random.default_rng(0)
    activation, gradient = np.maximum(random.normal(size=(4, 5, 3)), 0), random.normal(size=(4, 5, 3))
    found = GradCAMPlusPlusConfig().build().map_of(torch.from_numpy(activation), torch.from_numpy(gradient)).numpy()
    np.testing.assert_allclose(found, literal(activation, gradient), rtol=1e-12, atol=1e-14)


def test_dead_channels_and_zero_gradients_are_no_problem():
    activation, gradient = torch.rand(3, 4, 4), torch.randn(3, 4, 4)
    expected = GradCAMPlusPlusConfig().build().map_of(activation[:1], gradient[:1])
    activation[1] = 0
    gradient[2] = 0
    assert torch.equal(GradCAMPlusPlusConfig().build().map_of(activation, gradient), expected)
    assert not GradCAMPlusPlusConfig().build().map_of(activation, torch.zeros(3, 4, 4)).any()


def test_a_denominator_of_zero_adds_nothing():
    activation, gradient = torch.tensor([[[-2.0, 1.0]]]), torch.tensor([[[2.0, 1.0]]])  # 2 + 2 x -1 = 0, and 2 + 1 x -1 = 1
    assert torch.equal(
        GradCAMPlusPlusConfig().build().map_of(activation, gradient), torch.tensor([[0.0, 1.0]])
    )  # weight 0 + 1 / 1


def test_gradients_too_small_to_be_squared_count():
    activation, gradient = torch.rand(2, 3, 3), torch.rand(2, 3, 3)
    small = GradCAMPlusPlusConfig().build().map_of(activation, 1e-30 * gradient)
    weights = gradient.sum((1, 2)) / 2
    torch.testing.assert_close(small * 1e30, (weights[:, None, None] * activation).sum(0))


def test_it_equals_pytorch_grad_cam():
    """Its 1e-6 in the denominator vanishes where gradients are large, so the score is multiplied."""
    from pytorch_grad_cam import GradCAMPlusPlus

    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", "resnet34"), head, resolve("loss", "softmax"), 5, 64).eval()
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    for scale, near in ((1e5, True), (1.0, False)):
        found = GradCAMPlusPlusConfig().build().explain(network, images, Scaled(LABELS[:1], scale), 64)
        layer = network.backbone.stages()[found.layer]
        with GradCAMPlusPlus(network, [layer]) as peer:
            (scale * peer.activations_and_grads(images)[0, 2]).backward()
            seen, slopes = (
                one[0].numpy() for one in (peer.activations_and_grads.activations, peer.activations_and_grads.gradients)
            )
            expected = np.maximum(peer.get_cam_image(images, layer, None, seen, slopes)[0], 0)
        assert expected.max() > 0
        assert np.allclose(found.maps[0], expected, rtol=1e-5, atol=1e-5 * expected.max()) == near
        network.zero_grad()


def test_too_coarse_stages_and_unknown_layers_are_refused():
    with pytest.raises(Refused) as caught:
        GradCAMPlusPlusConfig(min_side=7).build().explain(Net(), IMAGES, ClassLogit(LABELS), 12)
    assert caught.value.code == "layer_too_coarse"
    with pytest.raises(Refused, match="explainer gradcam_plus_plus: layer 'x' is no stage of this backbone") as caught:
        GradCAMPlusPlusConfig(layer="x").build().explain(Net(), IMAGES, ClassLogit(LABELS), 12)
    assert caught.value.code == "no_such_layer"


def test_it_is_found_by_name():
    assert resolve("explainer", "gradcam_plus_plus") == GradCAMPlusPlusConfig()
