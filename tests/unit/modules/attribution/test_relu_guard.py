import pytest
import torch
from small_classifier import Loss
from torch import nn
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.relu_guard import Turns, relu_network
from modules.attribution.targets import ClassLogit, Cosine
from modules.network import Network

IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
TARGET = ClassLogit(torch.tensor([1]))


class Net(nn.Module):
    """conv, ``act``, conv, ``act``, means; ``act`` is one object, used twice."""

    def __init__(self, act):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), act
        self.loss = Loss()

    def embed(self, images):
        return self.act(self.two(self.act(self.one(images)))).mean((2, 3))


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, features):
        return self.function(features)


def refused(network, image=IMAGE, target=TARGET):
    with pytest.raises(Refused) as caught:
        relu_network(network.eval(), image, target, "the method")
    return caught.value


@pytest.mark.parametrize(
    ("act", "name"),
    [
        (nn.SiLU(), "2 SiLU"),
        (nn.PReLU(), "2 PReLU"),
        (nn.LeakyReLU(), "2 LeakyReLU"),
        (nn.ReLU6(), "2 ReLU6 or Hardtanh"),
        (nn.GELU(), "2 GELU"),
        (nn.ELU(), "2 ELU"),
        (nn.SELU(), "2 ELU"),
        (nn.Tanh(), "2 Tanh"),
        (nn.Hardswish(), "2 Hardswish"),
        (nn.Mish(), "2 Mish"),
        (nn.Softplus(), "2 Softplus"),
        (Called(functional.silu), "2 SiLU"),
        (Called(lambda x: x * torch.sigmoid(x)), "2 Sigmoid"),
        (Called(lambda x: x.clamp(min=0)), "2 clamp"),
    ],
)
def test_other_activations_are_refused_by_name_and_number(act, name):
    found = refused(Net(act))
    assert found.code == "not_relu"
    assert f"has {name} besides 0 ReLU" in found.reason


def test_a_network_without_any_activation_is_refused():
    assert refused(Net(nn.Identity())).code == "not_relu"


class Own(torch.autograd.Function):
    @staticmethod
    def forward(context, features):
        return features.sigmoid()

    @staticmethod
    def backward(context, gradient):
        return gradient


def test_a_custom_function_of_which_nothing_is_known_is_refused():
    found = refused(Net(Called(Own.apply)))
    assert found.code == "not_relu"
    assert "2 Own" in found.reason


@pytest.mark.parametrize("function", [functional.relu, torch.relu, torch.Tensor.relu, lambda x: torch.relu_(x.clone())])
def test_function_calls_are_refused_and_counted(function):
    network = Net(Called(function))
    assert refused(network).code == "functional_relu"
    network.act = nn.Sequential(nn.ReLU(), Called(function))
    assert "2 of 4 ReLUs" in refused(network).reason


def test_a_relu_that_is_no_submodule_is_refused():
    network = Net(nn.Identity())
    hidden = nn.ReLU()
    network.embed = lambda images: hidden(network.one(images)).mean((2, 3))
    assert refused(network).code == "functional_relu"


@pytest.mark.parametrize("inplace", [False, True])
def test_a_shared_relu_becomes_one_for_each_use_and_computes_the_same(inplace):
    network = Net(nn.ReLU(inplace)).eval()
    made = relu_network(network, IMAGE, TARGET, "the method")
    assert isinstance(network.act, nn.ReLU)
    assert isinstance(made.act, Turns)
    assert len(made.act.each) == 2
    for _ in range(3):
        assert torch.equal(made.embed(IMAGE), network.embed(IMAGE))
        assert torch.equal(made.embed(IMAGE.clone().requires_grad_()), network.embed(IMAGE))


def test_one_object_under_two_names_is_replaced_under_both():
    network = Net(nn.ReLU()).eval()
    network.other = network.act
    made = relu_network(network, IMAGE, TARGET, "the method")
    assert made.other is made.act


def test_what_does_not_see_the_image_does_not_count():
    class Beside(Net):
        def embed(self, images):
            return super().embed(images) * functional.silu(self.one.bias).sum()

    relu_network(Beside(nn.ReLU()).eval(), IMAGE, TARGET, "the method")


@pytest.mark.parametrize(("backbone", "relus"), [("alexnet", 5), ("resnet34", 33), ("squeezenet", 25), ("zhong_resnet", 27)])
def test_relu_backbones_pass(backbone, relus):
    network = Network(resolve("backbone", backbone), resolve("head", "gap_bn"), resolve("loss", "softmax"), 3, 64).eval()
    made = relu_network(network, torch.rand(1, 3, 64, 64), TARGET, "the method")
    assert sum(len(one.each) for one in made.modules() if isinstance(one, Turns)) == relus


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("efficientnet_b1", "68 SiLU, 23 Sigmoid besides 0"),
        ("efficientnet_lite0", "33 ReLU6"),
        ("mobilefacenet", "33 PReLU besides 0"),
        ({"name": "abn", "backbone": "alexnet", "maps": 4}, "1 Sigmoid besides 6 ReLU"),
    ],
)
def test_other_backbones_are_refused(backbone, name):
    network = Network(resolve("backbone", backbone), resolve("head", "gap_bn"), resolve("loss", "softmax"), 3, 96).eval()
    found = refused(network, torch.rand(1, 3, 96, 96))
    assert found.code == "not_relu"
    assert name in found.reason


def test_the_head_counts_as_well():
    head = resolve("head", {"name": "dense", "dimension": 8, "hidden": [], "activation": "leaky_relu"})
    network = Network(resolve("backbone", "alexnet"), head, resolve("loss", "softmax"), 3, 96).eval()
    for target in (TARGET, Cosine(torch.ones(1, 8))):
        assert "1 LeakyReLU besides 5 ReLU" in refused(network, torch.rand(1, 3, 96, 96), target).reason
