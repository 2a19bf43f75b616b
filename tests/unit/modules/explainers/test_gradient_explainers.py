"""What holds for every method that works by gradients."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine

ROOT = Path(__file__).resolve().parents[4]
METHODS = {
    "gradcam": {},
    "gradcam_plus_plus": {},
    "cam": {},
    "gradient": {},
    "gradient_x_input": {},
    "smoothgrad": {"samples": 4, "batch": 2},
    "integrated_gradients": {"steps": 4, "batch": 2},
    "fame": {"steps": 3, "blur": 1.0},
    "guided_backprop": {},
    "deconvnet": {},
    "guided_gradcam": {},
    "excitation_backprop": {},
}
SIGNED = {"cam", "gradient_x_input", "integrated_gradients"}
LABELS = torch.tensor([2, 0, 3])


class Dim(nn.Module):
    """An operation on the image itself, in place or not."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace

    def forward(self, images):
        return images.mul_(0.75) if self.inplace else images * 0.75


class Backbone(nn.Module):
    channels = 6

    def __init__(self, inplace):
        super().__init__()
        self.first = Dim(inplace)
        self.one = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(inplace))
        self.two = nn.Conv2d(6, 6, 3, 1, 1)
        self.act = nn.ReLU(inplace)

    def stages(self):
        return {"one": self.one, "two": self.two, "act": self.act}

    def forward(self, images):
        found = self.one(self.first(images))
        return self.act(self.two(found) + found)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.dropout, self.linear = nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 5)

    def forward(self, features):
        return self.linear(self.dropout(self.norm(features.mean((2, 3)))))


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 4)

    def logits(self, embeddings):
        return self.linear(embeddings)


class Net(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.head, self.loss = Backbone(inplace), Head(), Loss()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)

    def features(self, images):
        return self.backbone(images)

    def embed(self, images):
        return self.head(self.features(images))


def images(count=3, seed=1):
    return torch.rand(count, 3, 12, 12, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def run(method, network, generated, target):
    return resolve("explainer", {"name": method, **METHODS[method]}).build().explain(network, generated, target, 12)


def targets(count=3):
    return [ClassLogit(LABELS[:count]), Cosine(torch.randn(count, 5, generator=torch.Generator().manual_seed(4)))]


every = pytest.mark.parametrize("method", METHODS)


@every
def test_maps_are_float32_of_either_target_and_say_whether_they_are_signed(method):
    for target in targets():
        found = run(method, Net(), images(), target)
        assert found.maps.dtype == np.float32
        assert found.maps.any(axis=(1, 2)).sum() >= 2
        assert found.signed == (method in SIGNED)
        assert found.signed == bool((found.maps < 0).any())
        assert found.target == target.words


@every
def test_a_map_does_not_depend_on_the_other_images(method):
    target = targets()[0]
    together = run(method, Net(), images(), target).maps
    for index in range(3):
        alone = run(method, Net(), images()[index : index + 1], target.take([index])).maps
        np.testing.assert_array_equal(alone[0], together[index])


@every
def test_a_map_depends_on_its_target(method):
    one, other = (run(method, Net(), images(), ClassLogit(labels)).maps for labels in (LABELS, 3 - LABELS))
    assert not np.allclose(one, other)


@every
@pytest.mark.parametrize("inplace", [False, True])
def test_the_network_and_the_images_are_left_as_they_were(method, inplace):
    network, generated = Net(inplace).train(), images()
    network.backbone.two.eval()
    modes = [module.training for module in network.modules()]
    kinds = [(type(module), getattr(module, "inplace", None)) for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}
    run(method, network, generated, targets()[0])
    with pytest.raises((RuntimeError, IndexError)):
        run(method, network, generated, ClassLogit(LABELS + 100))
    assert [module.training for module in network.modules()] == modes
    assert [(type(module), getattr(module, "inplace", None)) for module in network.modules()] == kinds
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert torch.equal(generated, images())
    assert not generated.requires_grad
    assert torch.is_grad_enabled()


@every
def test_in_place_activations_change_nothing(method):
    for target in targets():
        plain = run(method, Net(False), images(), target).maps
        np.testing.assert_array_equal(run(method, Net(True), images(), target).maps, plain)


@every
@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(method, around):
    network = Net()
    for number, expected in enumerate(run(method, network, images(), target).maps for target in targets()):
        with around():  # images and targets are made here too
            found = run(method, network, images(), targets()[number])
        np.testing.assert_array_equal(found.maps, expected)


@every
def test_the_cosine_of_an_embedding_of_length_zero_is_refused(method):
    network = Net()
    nn.init.zeros_(network.head.linear.weight)
    nn.init.zeros_(network.head.linear.bias)
    with pytest.raises(Refused, match="length 0") as caught:
        run(method, network, images(), targets()[1])
    assert caught.value.code == "not_finite"


@every
def test_weights_that_are_nan_are_refused(method):
    network = Net()
    with torch.no_grad():
        network.head.linear.weight[0, 0] = torch.nan
    with pytest.raises(Refused) as caught:
        run(method, network, images(), targets()[0])
    assert caught.value.code == "not_finite"


@every
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_a_constant_image_has_a_map_of_numbers(method, value):
    found = run(method, Net(), torch.full((1, 3, 12, 12), value), targets(1)[0])
    assert np.isfinite(found.maps).all()
    assert found.notes["empty_maps"] == ([] if found.maps.any() else [0])


def test_it_is_noted_that_a_mid_gray_image_times_its_gradient_is_nothing():
    found = run("gradient_x_input", Net(), torch.zeros(1, 3, 12, 12), targets(1)[0])
    assert found.notes["empty_maps"] == [0]


@every
def test_dead_channels_do_no_harm(method):
    network = Net()
    with torch.no_grad():
        network.backbone.two.weight[2] = 0
        network.backbone.two.bias[2] = -100
    found = run(method, network, images(), targets()[0])
    assert found.maps.any()
    np.testing.assert_array_equal(run(method, network, images(), targets()[0]).maps, found.maps)


def _digest():
    from modules.network import Network

    torch.manual_seed(3)
    parts = [
        resolve(*part) for part in (("backbone", "alexnet"), ("head", {"name": "gap_bn", "dimension": 16}), ("loss", "softmax"))
    ]
    network = Network(*parts, 5, 96)
    generated = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = hashlib.sha256()
    for method in METHODS:
        explainer = resolve("explainer", {"name": method, **METHODS[method]}).build()
        for target in (ClassLogit(torch.tensor([1, 4])), Cosine(torch.ones(2, 16))):
            found.update(explainer.explain(network, generated, target, 96).maps.tobytes())
    return found.hexdigest()


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_bytes():
    program = f"import runpy; print(runpy.run_path({str(Path(__file__))!r})['_digest']())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == _digest()
