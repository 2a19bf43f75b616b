import numpy as np
import pytest
import torch
from small_networks import Reused, through_relus
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.deconvnet import DeconvnetConfig
from modules.network import Network

LABELS = torch.tensor([2, 0])


def images(size, dtype):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("target", [ClassLogit(LABELS), Cosine(torch.arange(10.0, dtype=torch.float64).view(2, 5))])
def test_a_relu_passes_back_what_is_positive_whatever_its_input_was(inplace, target):
    network, generated = Reused(nn.ReLU(inplace)).eval(), images(12, torch.float64)
    found = DeconvnetConfig().build().explain(network, generated, target, 12)
    for number in range(2):
        expected = through_relus(network, generated[number], target.take([number]), lambda given, got: got.clamp(min=0))
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
        DeconvnetConfig().build().explain(Reused(nn.SiLU()), images(12, torch.float64), ClassLogit(LABELS), 12)
    assert caught.value.code == "not_relu"


def test_it_is_found_by_name():
    assert resolve("explainer", "deconvnet") == DeconvnetConfig()
