import numpy as np
import pytest
import torch
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.graph import between, title
from modules.attribution.hooks import hooked
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.guided_gradcam import GuidedGradCAMConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])


def built(backbone, size):
    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    return Network(resolve("backbone", backbone), head, resolve("loss", "softmax"), 5, size).eval()


def images(size):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def literal(network, image, target, layer):
    """Both methods by other means: derivatives at the layer's output, and the rule of ReLU on autograd's nodes."""
    leaf, outputs = image[None].clone().requires_grad_(), []
    with hooked({layer: network.backbone.stages()[layer]}, lambda name, output: outputs.append(output.clone()) or outputs[-1]):
        score = target.scores(network, network.embed(leaf.clone()))[0]
    (gradient,) = torch.autograd.grad(score, outputs[0], retain_graph=True)
    coarse = (gradient[0].mean((1, 2))[:, None, None] * outputs[0][0]).sum(0).clamp(min=0)
    for node in between(score, leaf):
        if title(node) == "Relu":
            node.register_hook(lambda given, got: (given[0] * (got[0] > 0),))
    (fine,) = torch.autograd.grad(score, leaf)
    large = functional.interpolate(coarse[None, None], image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
    return (large * fine[0]).abs().amax(0).detach().numpy()


@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(32.0).view(2, 16) - 9)])
def test_it_is_the_product_of_guided_backpropagation_and_the_enlarged_map(target):
    network, given = built("resnet34", 64), images(64)
    found = GuidedGradCAMConfig(layer="layer2").build().explain(network, given, target, 64)
    assert (found.maps.shape, found.layer, found.layer_shape[1:]) == ((2, 64, 64), "layer2", (8, 8))
    for number in range(2):
        expected = literal(network, given[number], target.take([number]), "layer2")
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-4, atol=1e-5 * expected.max())
    assert found.maps[0].max() > 0
    assert found.notes["empty_maps"] == np.flatnonzero(found.maps.max((1, 2)) == 0).tolist()


def test_it_equals_captum():
    from captum.attr import GuidedGradCam

    network, given = built("alexnet", 96), images(96)
    found = GuidedGradCAMConfig(layer="relu3").build().explain(network, given, ClassLogit(LABELS), 96)
    peer = GuidedGradCam(network, network.backbone.stages()["relu3"])
    for number, label in enumerate(LABELS.tolist()):
        leaf = given[number : number + 1].clone().requires_grad_()
        expected = peer.attribute(leaf, label, interpolate_mode="bilinear")[0].abs().amax(0).detach().numpy()
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize(
    ("backbone", "settings", "code"),
    [("mobilenetv3_small", {}, "not_relu"), ("alexnet", {"layer": "conv9"}, "no_such_layer")],
)
def test_it_is_refused_as_the_methods_that_it_combines(backbone, settings, code):
    with pytest.raises(Refused) as caught:
        GuidedGradCAMConfig(**settings).build().explain(built(backbone, 96), images(96), ClassLogit(LABELS), 96)
    assert caught.value.code == code


def test_it_is_found_by_name():
    assert resolve("explainer", "guided_gradcam") == GuidedGradCAMConfig()
