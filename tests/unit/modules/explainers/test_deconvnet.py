import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.graph import between, title
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.deconvnet import DeconvnetConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])


class Net(nn.Module):
    """One ReLU used three times, after a shortcut has been taken from its input."""

    def __init__(self, act):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5), act
        self.loss = type("Loss", (nn.Module,), {"logits": lambda self, embeddings: embeddings})()
        self.inplace = self.act.inplace
        self.double()

    def embed(self, images):
        found = self.one(images)
        rest = self.two(self.act(found.clone() if self.inplace else found))
        return self.three(self.act(self.act(rest) + found).mean((2, 3)))


def images(size, dtype):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def literal(network, image, target):
    """The same method by other means: the rule is put on the nodes of autograd's graph, in the network itself."""
    leaf = image[None].clone().requires_grad_()
    score = target.scores(network, network.embed(leaf.clone()))[0]
    for node in between(score, leaf):
        if title(node) == "Relu":
            node.register_hook(lambda given, got: (got[0].clamp(min=0),))
    (found,) = torch.autograd.grad(score, leaf)
    return found[0].abs().amax(0).detach().numpy()


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(10.0, dtype=torch.float64).view(2, 5))])
def test_a_relu_passes_back_what_is_positive_whatever_its_input_was(inplace, target):
    network, generated = Net(nn.ReLU(inplace)).eval(), images(12, torch.float64)
    found = DeconvnetConfig().build().explain(network, generated, target, 12)
    for number in range(2):
        expected = literal(network, generated[number], target.take([number]))
        assert expected.max() > 0
        np.testing.assert_allclose(found.maps[number], expected.astype(np.float32), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("backbone", "size"), [("resnet34", 64), ("alexnet", 96)])
def test_it_equals_captum_where_no_relu_is_shared(backbone, size):
    from captum.attr import Deconvolution

    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", backbone), head, resolve("loss", "softmax"), 5, size).eval()
    generated = images(size, torch.float32)
    found = DeconvnetConfig().build().explain(network, generated, ClassLogit(LABELS), size)
    peer = Deconvolution(network)
    for number, label in enumerate(LABELS.tolist()):
        expected = (
            peer.attribute(generated[number : number + 1].clone().requires_grad_(), label)[0].abs().amax(0).detach().numpy()
        )
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-5, atol=1e-5 * expected.max())


def test_networks_of_other_activations_are_refused_before_work_starts():
    with pytest.raises(Refused, match="Deconvnet is defined for ReLU networks; this one has 3 SiLU") as caught:
        DeconvnetConfig().build().explain(Net(nn.SiLU()), images(12, torch.float64), ClassLogit(LABELS), 12)
    assert caught.value.code == "not_relu"


def test_it_is_found_by_name():
    assert resolve("explainer", "deconvnet") == DeconvnetConfig()
