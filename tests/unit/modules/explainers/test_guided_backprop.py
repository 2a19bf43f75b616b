import copy

import numpy as np
import pytest
import torch
from small_networks import Reused, through_relus
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.guided_backprop import GuidedBackpropConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])
IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1


def guided(given, got):
    return given * (got > 0)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(10.0, dtype=torch.float64).view(2, 5))])
def test_a_relu_passes_back_what_is_positive_where_its_input_is(inplace, target):
    network = Reused(nn.ReLU(inplace)).eval()
    found = GuidedBackpropConfig().build().explain(network, IMAGES, target, 12)
    for number in range(2):
        expected = through_relus(network, IMAGES[number], target.take([number]), guided)
        assert expected.max() > 0
        np.testing.assert_allclose(found.maps[number], expected.astype(np.float32), rtol=1e-6, atol=1e-12)


def test_it_is_not_the_plain_gradient():
    network = Reused().eval()
    plain = resolve("explainer", "gradient").build().explain(network, IMAGES, ClassLogit(LABELS), 12).maps
    assert not np.allclose(
        GuidedBackpropConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 12).maps, plain, rtol=0.1
    )


@pytest.mark.parametrize(("backbone", "size"), [("resnet34", 64), ("alexnet", 96)])
def test_it_equals_pytorch_grad_cam(backbone, size):
    from pytorch_grad_cam import GuidedBackpropReLUModel

    torch.manual_seed(0)
    head = resolve("head", {"name": "gap_bn", "dimension": 16})
    network = Network(resolve("backbone", backbone), head, resolve("loss", "softmax"), 5, size).eval()
    images = torch.rand(2, 3, size, size) * 2 - 1
    found = GuidedBackpropConfig().build().explain(network, images, ClassLogit(LABELS), size)
    peer = GuidedBackpropReLUModel(copy.deepcopy(network))  # it changes the network
    for number, label in enumerate(LABELS.tolist()):
        expected = np.abs(peer(images[number : number + 1].clone(), label)).max(2)
        np.testing.assert_allclose(found.maps[number], expected, rtol=1e-5, atol=1e-5 * expected.max())


def test_networks_of_other_activations_are_refused_before_work_starts():
    network = Reused(nn.SiLU(inplace=True))
    with pytest.raises(Refused, match="guided backpropagation is defined for ReLU networks; this one has 3 SiLU") as caught:
        GuidedBackpropConfig().build().explain(network, IMAGES, ClassLogit(LABELS), 12)
    assert caught.value.code == "not_relu"


def test_it_warns_of_nothing(recwarn):
    GuidedBackpropConfig().build().explain(Reused(), IMAGES, ClassLogit(LABELS), 12)
    assert not [one for one in recwarn if "captum" in str(one.filename) or "hook" in str(one.message)]


def test_it_is_found_by_name():
    assert resolve("explainer", "guided_backprop") == GuidedBackpropConfig()
