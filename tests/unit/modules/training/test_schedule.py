"""Rates against what the papers' formulas give, counted by hand."""

import math

import pytest
import torch
from torch import nn

from modules.recipes import cosine, multi_step, polynomial

STEPS = 10


def rates(config):
    moves = config.build(nn.Linear(2, 2).parameters(), STEPS)
    found = []
    for _ in range(config.epochs * STEPS):
        found.append(moves.lr)
        moves.optimizer.step()
        moves.after_step()
    return found


def test_a_warm_up_climbs_by_equal_steps_to_the_full_rate():
    found = rates(polynomial.PolynomialConfig(lr=0.8, epochs=4, warmup_epochs=0.5))
    assert found[:6] == pytest.approx([0.16, 0.32, 0.48, 0.64, 0.8, 0.8])
    assert found[6] < 0.8


def test_a_polynomial_is_a_power_of_what_remains():
    found = rates(polynomial.PolynomialConfig(lr=0.5, epochs=2, power=2.0))
    assert found == pytest.approx([0.5 * (1 - step / 20) ** 2 for step in range(20)])


def test_a_cosine_goes_from_the_full_rate_to_its_end():
    found = rates(cosine.CosineConfig(lr=0.4, epochs=3, warmup_epochs=1, end=0.1))
    wanted = [0.04 + (0.4 - 0.04) * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)]
    assert found[10:] == pytest.approx(wanted)


def test_the_rate_falls_at_its_milestones_and_nowhere_else():
    found = rates(multi_step.MultiStepConfig(lr=1.0, epochs=5, warmup_epochs=1, milestones=(2, 3.5), gamma=0.1))
    assert found[10:20] == pytest.approx([1.0] * 10)
    assert found[20:35] == pytest.approx([0.1] * 15)
    assert found[35:] == pytest.approx([0.01] * 15)


@pytest.mark.parametrize("steps", [3, 7, 11])
def test_milestones_are_met_after_a_warm_up_of_half_an_epoch_too(steps):
    config = multi_step.MultiStepConfig(lr=1.0, epochs=4, warmup_epochs=0.5, milestones=(1, 2), gamma=0.1)
    found = [config.rate(step, steps) for step in range(4 * steps)]
    warm = round(steps / 2)
    assert found[warm:] == pytest.approx([1.0] * (steps - warm) + [0.1] * steps + [0.01] * 2 * steps)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"milestones": ()}, "recipe.milestones is empty"),
        ({"milestones": (3, 2)}, "in ascending order"),
        ({"milestones": (5,)}, "5 is not within the 5 epochs"),
        ({"milestones": (1,), "warmup_epochs": 2}, "1 lies within the warm-up of 2 epochs"),
    ],
)
def test_milestones_that_cannot_be_meant_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        multi_step.MultiStepConfig(epochs=5, **settings)


def test_a_warm_up_of_the_whole_training_is_refused():
    with pytest.raises(ValueError, match="leaves nothing of 2 epochs"):
        cosine.CosineConfig(epochs=2, warmup_epochs=2)


def test_a_resumed_schedule_goes_on_where_it_was():
    config = cosine.CosineConfig(lr=0.4, epochs=2)
    whole = rates(config)
    first, second = (config.build([nn.Parameter(torch.zeros(1))], STEPS) for _ in range(2))
    for _ in range(7):
        first.after_step()
    second.load_state_dict(first.state_dict())
    second.after_step()
    assert second.lr == whole[8]
