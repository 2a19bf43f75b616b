"""Rows that were not sampled stay where they are, whatever the optimizer; a sampled row moves as it always would."""

import copy

import pytest
import torch
from torch import nn

from modules.layers.margin_softmax import keep_unsampled
from modules.layers.partial_fc import RowKeeper, sampled_classes
from modules.losses.arcface import ArcFaceConfig

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.1),
    "nag": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.1, weight_decay=0.1),
    "amsgrad": lambda parameters: torch.optim.Adam(parameters, 0.1, weight_decay=0.1, amsgrad=True),
}


def per_element(optimizer, parameter):
    return {key: value for key, value in optimizer.state[parameter].items() if value.shape == parameter.shape}


@pytest.fixture(params=OPTIMIZERS)
def make(request):
    return OPTIMIZERS[request.param]


def test_unsampled_classes_do_not_move(make):
    torch.manual_seed(0)
    loss = ArcFaceConfig(sample=0.25, scale=8).build(6, 40)
    optimizer = make(loss.parameters())
    keep_unsampled(loss, optimizer)
    moved = torch.zeros(40)
    for _ in range(6):
        labels = torch.randint(40, (4,))
        before, state = loss.weight.detach().clone(), copy.deepcopy(per_element(optimizer, loss.weight))
        optimizer.zero_grad()
        loss(torch.randn(4, 6), labels).backward()
        optimizer.step()
        changed = (loss.weight != before).any(dim=1)
        assert changed.sum() == 10
        assert changed[labels].all()
        moved += changed
        for key, value in state.items():
            assert torch.equal(per_element(optimizer, loss.weight)[key][~changed], value[~changed])
    assert 0 < (moved > 1).sum() < 40
    assert loss.weight.shape == (40, 6)


def test_without_the_keeper_the_optimizer_would_move_them(make):
    """What the keeper is for: a zero gradient is no standstill."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(5, 3))
    optimizer = make([parameter])
    for _ in range(2):
        before = parameter.detach().clone()
        optimizer.zero_grad()
        parameter[torch.tensor([0, 1])].square().sum().backward()
        optimizer.step()
    assert (parameter != before).any(dim=1).all()


def test_rows_move_as_if_they_were_alone(make):
    """Rows 1 and 3 in a large parameter, against a parameter that is these rows."""
    torch.manual_seed(0)
    large = nn.Parameter(torch.randn(5, 3, dtype=torch.float64))
    rows = torch.tensor([1, 3])
    small = nn.Parameter(large.detach()[rows].clone())
    optimizer, other = make([large]), make([small])
    keeper = RowKeeper(large, optimizer)
    for _ in range(4):
        for each, shown in ((optimizer, lambda: keeper.gather(rows)), (other, lambda: small)):
            each.zero_grad()
            (shown() ** 3).sum().backward()
            each.step()
        torch.testing.assert_close(large[rows], small, rtol=0, atol=1e-12)


def test_rows_of_several_passes_before_a_step_all_move(make):
    parameter = nn.Parameter(torch.randn(6, 3))
    optimizer = make([parameter])
    keeper = RowKeeper(parameter, optimizer)
    before = parameter.detach().clone()
    both = keeper.gather(torch.tensor([0, 1])).square().sum() + keeper.gather(torch.tensor([1, 2])).square().sum()
    both.backward()
    keeper.gather(torch.tensor([4])).square().sum().backward()  # accumulated
    keeper.gather(torch.tensor([5]))  # no gradient comes from here
    optimizer.step()
    assert (parameter != before).any(dim=1).tolist() == [True, True, True, False, True, False]


def test_rows_that_several_passes_share_move_once(make):
    torch.manual_seed(0)
    start = torch.randn(5, 3, dtype=torch.float64)
    large, small = nn.Parameter(start.clone()), nn.Parameter(start[[0, 1, 2]].clone())
    optimizer, other = make([large]), make([small])
    keeper = RowKeeper(large, optimizer)
    for _ in range(3):
        optimizer.zero_grad()
        (keeper.gather(torch.tensor([0, 1])) ** 3).sum().backward()
        (keeper.gather(torch.tensor([1, 2])) ** 3).sum().backward()
        optimizer.step()
        other.zero_grad()
        ((small[[0, 1]] ** 3).sum() + (small[[1, 2]] ** 3).sum()).backward()
        other.step()
    torch.testing.assert_close(large[:3], small, rtol=0, atol=1e-12)
    assert torch.equal(large[3:], start[3:])


def test_a_gradient_that_was_dropped_without_a_step_leaves_no_rows_behind(make):
    parameter = nn.Parameter(torch.randn(4, 3))
    optimizer = make([parameter])
    keeper = RowKeeper(parameter, optimizer)
    keeper.gather(torch.tensor([0])).sum().backward()
    optimizer.zero_grad()  # as after an overflow in fp16
    before = parameter.detach().clone()
    keeper.gather(torch.tensor([1])).sum().backward()
    optimizer.step()
    assert (parameter != before).any(dim=1).tolist() == [False, True, False, False]


def test_a_gradient_computed_within_the_step_is_met_too(make):
    parameter = nn.Parameter(torch.randn(4, 3))
    optimizer = make([parameter])
    keeper = RowKeeper(parameter, optimizer)
    before = parameter.detach().clone()

    def closure():
        optimizer.zero_grad()
        loss = keeper.gather(torch.tensor([2])).sum()
        loss.backward()
        return loss

    for step in (lambda: optimizer.step(closure), lambda: optimizer.step(closure=closure)):
        assert step() is not None
        assert (parameter != before).any(dim=1).tolist() == [False, False, True, False]


def test_a_resumed_training_goes_on_to_the_bit(make):
    def train(loss, optimizer, steps):
        for step in steps:
            torch.manual_seed(step)
            optimizer.zero_grad()
            loss(torch.randn(4, 6), torch.randint(40, (4,))).backward()
            optimizer.step()

    def fresh():
        torch.manual_seed(7)
        loss = ArcFaceConfig(sample=0.25, scale=8).build(6, 40)
        optimizer = make(loss.parameters())
        keep_unsampled(loss, optimizer)
        return loss, optimizer

    whole, optimizer = fresh()
    train(whole, optimizer, range(3))
    saved = copy.deepcopy((whole.state_dict(), optimizer.state_dict()))
    train(whole, optimizer, range(3, 6))
    resumed, other = fresh()
    resumed.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    train(resumed, other, range(3, 6))
    assert torch.equal(whole.weight, resumed.weight)


def test_the_batchs_classes_are_sampled_and_others_up_to_the_share():
    torch.manual_seed(0)
    labels = torch.tensor([7, 93, 7])
    drawn = [sampled_classes(labels, 100, 0.095) for _ in range(200)]
    assert all(len(one) == 10 and {7, 93} <= set(one.tolist()) and one.tolist() == sorted(set(one.tolist())) for one in drawn)
    assert len({number for one in drawn for number in one.tolist()}) == 100
    assert sampled_classes(torch.arange(50), 100, 0.01).tolist() == list(range(50))
    assert sampled_classes(labels, 100, 1.0).tolist() == list(range(100))


def test_the_number_of_sampled_classes_follows_from_shapes_alone():
    for labels in (torch.zeros(6, dtype=torch.int64), torch.arange(6)):
        assert [len(sampled_classes(labels, 20, share)) for share in (0.05, 0.3, 0.31)] == [6, 6, 7]
    assert sampled_classes(torch.tensor([0, 1, 0, 1, 0]), 3, 0.1).tolist() == [0, 1, 2]


def test_a_share_in_hundredths_is_not_rounded_up_by_its_binary_fraction():
    labels = torch.tensor([0])
    wrong = [percent for percent in range(1, 101) if len(sampled_classes(labels, 100, percent / 100)) != percent]
    assert not wrong


def test_the_sampled_classes_are_those_with_the_largest_numbers():
    """A second derivation, whose classes are those that were drawn before sampling moved to the labels' device."""
    labels = torch.tensor([3, 17, 3])
    for seed in range(20):
        torch.manual_seed(seed)
        found = sampled_classes(labels, 30, 0.4)
        torch.manual_seed(seed)
        drawn = torch.rand(30).tolist()
        others = sorted((name for name in range(30) if name not in (3, 17)), key=drawn.__getitem__)[-10:]
        assert found.tolist() == sorted([3, 17, *others])


def test_sampling_follows_from_the_default_generator_alone():
    torch.manual_seed(3)
    one = sampled_classes(torch.tensor([1]), 50, 0.3)
    torch.manual_seed(3)
    assert torch.equal(one, sampled_classes(torch.tensor([1]), 50, 0.3))


def test_training_on_a_sample_without_a_keeper_is_a_bug_and_no_silent_drift():
    loss = ArcFaceConfig(sample=0.5).build(4, 8)
    with pytest.raises(AssertionError, match="keep_unsampled"):
        loss(torch.randn(2, 4), torch.tensor([0, 1]))


def test_the_whole_set_of_classes_needs_no_keeper():
    loss = ArcFaceConfig(sample=1.0).build(4, 8)
    optimizer = torch.optim.SGD(loss.parameters(), 0.1)
    keep_unsampled(nn.Sequential(nn.Linear(2, 2), loss), optimizer)
    assert loss.keeper is None
