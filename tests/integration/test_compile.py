"""``compute: {compile: true}``: the same network in other last digits, under the same names."""

import shutil

import pytest
import torch

from modules.backbones.alexnet import AlexNetConfig as AlexNet
from modules.heads.gap_bn import GapBnConfig as GapBn
from modules.losses.arcface import ArcFaceConfig as ArcFace
from modules.network import Network


@pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None, reason="torch.compile needs a C++ compiler"
)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_compiled_backbone_gives_the_same_loss_and_gradients_under_the_same_names():
    torch.manual_seed(0)
    network = Network(AlexNet(), GapBn(dimension=16, dropout=0.0), ArcFace(scale=8.0), 4, 64)
    images, labels = torch.rand(4, 3, 64, 64) * 2 - 1, torch.tensor([0, 1, 2, 3])

    def step():
        network.zero_grad()
        loss = network.loss_of(images, labels)
        loss.backward()
        return loss.item(), {name: one.grad.clone() for name, one in network.named_parameters()}

    plain, gradients = step()
    names = list(network.state_dict())
    network.backbone.compile()
    compiled, found = step()
    assert network.backbone._compiled_call_impl is not None
    assert list(network.state_dict()) == names
    assert compiled == pytest.approx(plain, rel=1e-5)
    for name, gradient in gradients.items():
        assert (found[name] - gradient).abs().max() <= 1e-4 * gradient.abs().max(), name
