import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.layer_maps import at_layer, weighted
from modules.attribution.targets import ClassLogit
from modules.network import Network

TARGET = ClassLogit(torch.tensor([1]))
IMAGE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """Three stages of 8, 4 and 2 pixels; a branch of the second gates it, as attention does."""

    class _Backbone(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.gate, self.c = (
                nn.Conv2d(*shape) for shape in ((3, 4, 2, 2), (4, 4, 2, 2), (4, 1, 1), (4, 5, 2, 2))
            )
            self.join = nn.Tanh()
            self.passes = 0

        def stages(self):
            return {"a": self.a, "b": self.b, "gate": self.gate, "join": self.join, "c": self.c}

        def forward(self, images):
            self.passes += 1
            found = torch.relu_(self.b(self.a(images)))
            return self.c(self.join(found * self.gate(found)))

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = self._Backbone()
        self.loss = Loss()

    def embed(self, images):
        return self.backbone(images).mean((2, 3)) ** 3


@pytest.mark.parametrize(("side", "layer"), [(1, "c"), (2, "c"), (3, "join"), (4, "join"), (5, "a"), (8, "a")])
def test_one_forward_pass_finds_the_deepest_stage_that_is_large_enough(side, layer):
    network = Net().eval()
    name, activation, gradient = at_layer(network, network.backbone.stages(), IMAGE, TARGET, side)
    assert name == layer
    assert network.backbone.passes == 1
    alone = at_layer(network, {layer: network.backbone.stages()[layer]}, IMAGE, TARGET)
    assert torch.equal(activation, alone[1])
    assert torch.equal(gradient, alone[2])
    assert gradient.abs().sum() > 0


def test_the_deepest_stage_is_the_last_one_named_whichever_ran_last():
    network = Net().eval()
    stages = {name: network.backbone.stages()[name] for name in ("c", "a", "b")}
    assert at_layer(network, stages, IMAGE, TARGET)[0] == "b"


def test_the_gradient_is_that_of_the_whole_graph():
    network = Net().eval()
    for layer, module in network.backbone.stages().items():
        kept = []
        handle = module.register_forward_hook(lambda _, given, got, kept=kept: kept.append(got.clone()) or kept[0].clone())
        score = network.embed(IMAGE)[0, 1]
        handle.remove()
        (expected,) = torch.autograd.grad(score, kept[0])
        _, activation, gradient = at_layer(network, {layer: module}, IMAGE, TARGET)
        torch.testing.assert_close(gradient, expected[0])
        torch.testing.assert_close(activation, kept[0][0])


def test_refusals_name_the_shapes_from_shallow_to_deep():
    network = Net().eval()
    with pytest.raises(Refused, match="a 8x8, b 4x4, gate 4x4, join 4x4, c 2x2") as caught:
        at_layer(network, network.backbone.stages(), IMAGE, TARGET, 9)
    assert caught.value.code == "layer_too_coarse"
    assert torch.is_grad_enabled()


def test_a_gradient_that_is_nan_is_refused_even_where_the_score_is_not():
    class Root(Net):
        def embed(self, images):
            return (self.backbone(images).mean((2, 3)) * 0).sqrt()

    network = Root().eval()
    with pytest.raises(Refused, match="derivative") as caught:
        at_layer(network, network.backbone.stages(), IMAGE, TARGET)
    assert caught.value.code == "not_finite"


def test_what_is_weighted_is_summed_and_rectified():
    activation, weights = torch.tensor([[[1.0, 2.0]], [[3.0, -1.0]]]), torch.tensor([2.0, -1.0])
    assert weighted(activation, weights).tolist() == [[0.0, 5.0]]


@pytest.mark.parametrize(("backbone", "size", "layer"), [("resnet34", 64, "layer3"), ("alexnet", 127, "relu5")])
def test_gradcam_equals_captum_and_pytorch_grad_cam(backbone, size, layer):
    from captum.attr import LayerGradCam
    from pytorch_grad_cam import GradCAM

    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", backbone), head, resolve("loss", "softmax"), 5, size).eval()
    images, labels = torch.rand(2, 3, size, size) * 2 - 1, torch.tensor([2, 0])
    found = resolve("explainer", {"name": "gradcam", "layer": layer}).build().explain(network, images, ClassLogit(labels), size)
    module = network.backbone.stages()[layer]
    other = LayerGradCam(network, module).attribute(images, labels, relu_attributions=True)[:, 0].detach().numpy()
    np.testing.assert_allclose(found.maps, other, rtol=1e-5, atol=1e-5 * other.max())
    with GradCAM(network, [module]) as peer:
        peer.activations_and_grads(images).gather(1, labels[:, None]).sum().backward()
        seen, slopes = (
            one[0].numpy() for one in (peer.activations_and_grads.activations, peer.activations_and_grads.gradients)
        )
        expected = np.maximum(peer.get_cam_image(images, module, None, seen, slopes), 0)
    assert expected.any()
    np.testing.assert_allclose(found.maps, expected, rtol=1e-5, atol=1e-5 * expected.max())
