"""Two optimizers as one: the numbers of two alone, clipping over both, a resume without a difference."""

import copy

import torch
from torch import nn

from modules.training.multi_optimizer import Together


def pair():
    torch.manual_seed(0)
    one, two = nn.Linear(3, 3), nn.Linear(3, 1)
    return one, two


def optimizers(one, two):
    return [torch.optim.SGD(one.parameters(), lr=0.1, momentum=0.9), torch.optim.Adam(two.parameters(), lr=0.01)]


def train(one, two, steps, step, zero, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        zero()
        two(torch.relu(one(torch.randn(4, 3, generator=generator)))).square().mean().backward()
        step()


def weights(*modules):
    return [parameter.detach().clone() for module in modules for parameter in module.parameters()]


def test_both_move_as_they_would_alone():
    one, two = pair()
    alone = optimizers(one, two)
    train(one, two, 5, lambda: [o.step() for o in alone], lambda: [o.zero_grad() for o in alone])
    wanted = weights(one, two)
    one, two = pair()
    both = Together(optimizers(one, two))
    train(one, two, 5, both.step, both.zero_grad)
    assert all(torch.equal(a, b) for a, b in zip(wanted, weights(one, two), strict=True))


def test_a_rate_that_is_set_through_the_pair_reaches_its_owner():
    one, two = pair()
    both = Together(optimizers(one, two))
    before = weights(one, two)
    for group in both.param_groups:
        group["lr"] = 0.0
    train(one, two, 2, both.step, both.zero_grad)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(one, two), strict=True))


def test_a_resumed_pair_goes_on_where_it_was():
    one, two = pair()
    both = Together(optimizers(one, two))
    train(one, two, 3, both.step, both.zero_grad, seed=1)
    state, saved = copy.deepcopy(both.state_dict()), weights(one, two)
    train(one, two, 3, both.step, both.zero_grad, seed=2)
    wanted = weights(one, two)
    with torch.no_grad():
        for parameter, value in zip([*one.parameters(), *two.parameters()], saved, strict=True):
            parameter.copy_(value)
    again = Together(optimizers(one, two))
    again.load_state_dict(state)
    train(one, two, 3, again.step, again.zero_grad, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(wanted, weights(one, two), strict=True))
    for group in again.param_groups:
        group["lr"] = 0.0
    before = weights(one, two)
    train(one, two, 1, again.step, again.zero_grad)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(one, two), strict=True))
