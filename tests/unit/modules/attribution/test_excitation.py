"""The rules against sums over single neurons."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from modules.attribution.excitation import check_rules, excitation
from modules.attribution.explainer import Refused


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plus_in_place(one, other):
    one = one.clone()
    one += other
    return one


def probabilities(*shape, seed=5):
    found = draw(*shape, seed=seed).abs()
    return found / found.sum()


def passed(layer, responses, given):
    """What arrives at the responses of a layer whose outputs have the probabilities ``given``."""
    leaf = responses.clone().requires_grad_()
    with excitation():
        output = layer(leaf)
    torch.testing.assert_close(output, layer(responses))  # the forward pass is unchanged
    check_rules(output, leaf)
    return torch.autograd.grad(output, leaf, given)[0]


def by_neurons(layer, responses, given):
    """Equation 1, output by output and input by input; the weights are read off a linear layer by unit vectors."""
    size = responses.numel()
    zero = layer(torch.zeros_like(responses))
    units = torch.eye(size, dtype=responses.dtype).view(size, *responses.shape)
    weights = torch.stack([(layer(unit) - zero).ravel() for unit in units]).detach()  # (inputs, outputs)
    found, values = np.zeros(size), responses.clamp(min=0).ravel()
    for output, probability in enumerate(given.ravel().tolist()):
        shares = [max(float(weights[one, output]), 0.0) * float(values[one]) for one in range(size)]
        if sum(shares) > 0:
            found += probability * np.array(shares) / sum(shares)
    return found.reshape(responses.shape)


def normalization(channels):
    norm = nn.BatchNorm2d(channels).double().eval()
    norm.running_mean.copy_(draw(channels, seed=1))
    norm.running_var.copy_(draw(channels, seed=2).abs() + 0.5)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -0.7, 2.0, -1.0][:channels]))
        norm.bias.copy_(draw(channels, seed=3))
    return norm


CONV = nn.Conv2d(3, 4, 3, stride=2, padding=1).double()
LAYERS = {
    "convolution": (CONV, (1, 3, 5, 5)),
    "groups": (nn.Conv2d(4, 4, 3, groups=2).double(), (1, 4, 4, 4)),
    "linear": (nn.Linear(6, 4).double(), (1, 6)),
    "average": (nn.AvgPool2d(2), (1, 2, 4, 4)),
    "adaptive average": (nn.AdaptiveAvgPool2d(2), (1, 2, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_divides_a_probability_by_response_times_positive_weight(name):
    layer, shape = LAYERS[name]
    responses = draw(*shape, seed=7)  # also negative ones, which win nothing
    given = probabilities(*layer(responses).shape)
    np.testing.assert_allclose(passed(layer, responses, given), by_neurons(layer, responses, given), atol=1e-12)


def test_batch_normalization_is_part_of_the_convolution_also_where_its_factor_is_negative():
    norm, responses = normalization(4), draw(1, 3, 5, 5, seed=7).abs()
    whole = fuse_conv_bn_eval(CONV.eval(), norm)
    given = probabilities(*whole(responses).shape)
    found = passed(nn.Sequential(CONV, norm), responses, given)
    np.testing.assert_allclose(found, by_neurons(whole, responses, given), atol=1e-12)
    assert not np.allclose(found, by_neurons(CONV, responses, given), atol=1e-3)


@pytest.mark.parametrize("add", [lambda one, other: one + other, torch.add, plus_in_place])
def test_a_sum_divides_by_the_positive_parts_of_its_terms(add):
    responses, given = torch.tensor([[3.0, -1.0, 0.0]]), torch.tensor([[0.5, 0.3, 0.2]])
    leaves = [responses.clone().requires_grad_(), torch.tensor([[1.0, 2.0, -4.0]], requires_grad=True)]
    with excitation():
        output = add(*(leaf.clone() for leaf in leaves))
    one, other = torch.autograd.grad(output, leaves, given)
    torch.testing.assert_close(one, torch.tensor([[0.375, 0.0, 0.0]]))
    torch.testing.assert_close(other, torch.tensor([[0.125, 0.3, 0.0]]))  # the last sum has no positive term


def test_nothing_is_lost_where_all_weights_and_responses_are_positive():
    layers = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 2, 1), nn.ReLU()).double()
    for one in layers.parameters():
        one.data.abs_()
    responses = draw(1, 2, 6, 6).abs() + 0.1
    given = probabilities(*layers(responses).shape)
    assert float(passed(layers, responses, given).sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (functional.silu, "Silu"),
        (lambda one: one * one.sigmoid(), "Mul, Sigmoid"),
        (lambda one: one + one[:, :1], "Add, Slice"),
    ],
)
def test_operations_without_a_rule_are_named(function, name):
    leaf = draw(1, 2, 3, 3).requires_grad_()
    with excitation():
        output = function(leaf)
    with pytest.raises(Refused, match=f"no rule for {name};") as caught:
        check_rules(output, leaf)
    assert caught.value.code == "not_relu"


def test_outside_derivatives_are_those_of_autograd():
    leaf = draw(1, 3, 5, 5).requires_grad_()
    with excitation():
        CONV(leaf)
    (found,) = torch.autograd.grad(CONV(leaf).sum(), leaf)
    assert (found < 0).any()
