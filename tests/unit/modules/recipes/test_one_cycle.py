import pytest
import torch

from modules.recipes.one_cycle import OneCycleConfig


@pytest.mark.parametrize("shape", ["cos", "linear"])
@pytest.mark.parametrize("total", [(10, 8), (7, 3), (1, 5)])
def test_every_rate_equals_torch(shape, total):
    steps, epochs = total
    config = OneCycleConfig(shape=shape, epochs=epochs, lr=0.4)
    moves = config.build([torch.nn.Parameter(torch.ones(1))], steps_per_epoch=steps)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.4)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.4, total_steps=steps * epochs, anneal_strategy=shape, cycle_momentum=False
    )
    for _ in range(steps * epochs):
        assert moves.lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        theirs.step()
        moves.after_step()


@pytest.mark.parametrize(("steps", "rise"), [(1, 0.5), (2, 0.5), (1, 0.3), (10, 0.1)])
def test_very_short_trainings_have_finite_rates(steps, rise):
    moves = OneCycleConfig(epochs=1, rise=rise).build([torch.nn.Parameter(torch.ones(1))], steps_per_epoch=steps)
    for _ in range(steps + 1):
        assert 0 < moves.lr <= 0.01
        moves.after_step()


def test_a_single_step_has_the_peak():
    assert OneCycleConfig(epochs=1, lr=0.4).rate(0, steps_per_epoch=1) == 0.4


def test_momentum_stays():
    moves = OneCycleConfig().build([torch.nn.Parameter(torch.ones(1))], steps_per_epoch=2)
    moves.after_step()
    assert moves.optimizer.param_groups[0]["momentum"] == 0.9


def test_epochs_move_nothing():
    moves = OneCycleConfig().build([torch.nn.Parameter(torch.ones(1))], steps_per_epoch=2)
    before = moves.lr
    assert moves.after_epoch(3.0) is False
    assert moves.after_epoch(None) is False
    assert moves.lr == before


def test_the_last_epoch_is_kept():
    assert (OneCycleConfig().select, OneCycleConfig().epochs) == ("last", 8)
