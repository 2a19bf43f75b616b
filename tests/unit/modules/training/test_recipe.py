import pytest
import torch
from pydantic import ValidationError

from configs.lookup import known, lookup, resolve
from modules.recipes.one_cycle import OneCycleConfig
from modules.training.recipe import OptimizerSchedule


def parameters():
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.BatchNorm2d(2))
    return list(layer.parameters())


def test_recipes_are_found_by_name():
    assert {"plateau", "one_cycle"} <= set(known("recipe"))
    assert resolve("recipe", {"name": "plateau", "factor": 0.9}).factor == 0.9
    assert lookup("recipe", "one_cycle") is OneCycleConfig


@pytest.mark.parametrize(
    ("name", "kind", "nesterov"),
    [("nag", "SGD", True), ("sgd", "SGD", False), ("adamw", "AdamW", None), ("adagrad", "Adagrad", None)],
)
def test_the_optimizer_has_the_fields_of_the_recipe(name, kind, nesterov):
    optimizer = OneCycleConfig(optimizer=name, weight_decay=0.1).optimizer_of(parameters())
    assert type(optimizer).__name__ == kind
    group = optimizer.param_groups[0]
    assert group.get("nesterov") == nesterov
    assert group["weight_decay"] == 0.1


def test_one_step_of_nag_is_the_written_formula():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = OneCycleConfig(lr=0.1).optimizer_of([weight])
    velocity, expected = 0.0, 1.0
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        gradient = 2 * expected
        velocity = 0.9 * velocity + gradient
        expected -= 0.1 * (gradient + 0.9 * velocity)
        assert float(weight.detach()) == pytest.approx(expected, rel=1e-5)


def test_adagrad_divides_by_the_root_of_all_squares_so_far():
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = OneCycleConfig(optimizer="adagrad", lr=0.1).optimizer_of([weight])
    squares, expected = 0.0, 1.0
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        gradient = 2 * expected
        squares += gradient**2
        expected -= 0.1 * gradient / squares**0.5
        assert float(weight.detach()) == pytest.approx(expected, rel=1e-5)


def test_norms_and_biases_can_be_spared_from_decay():
    optimizer = OneCycleConfig(weight_decay=0.1, decay_norm_and_bias=False).optimizer_of(parameters())
    found = [(group["weight_decay"], sorted(p.ndim for p in group["params"])) for group in optimizer.param_groups]
    assert found == [(0.1, [4]), (0.0, [1, 1, 1])]


def test_frozen_parameters_are_left_out():
    found = parameters()
    found[0].requires_grad_(False)
    assert sum(len(group["params"]) for group in OneCycleConfig().optimizer_of(found).param_groups) == 3


def test_nag_without_momentum_is_refused_with_a_remedy():
    with pytest.raises(ValidationError, match="use optimizer: sgd"):
        OneCycleConfig(momentum=0.0)


def test_stopping_needs_a_validation_loss():
    moves = OneCycleConfig(stop_after=1).build(parameters(), 1)
    with pytest.raises(ValueError, match="stop_after: null"):
        moves.after_epoch(None)


def test_the_schedule_goes_on_without_validation_images():
    seen = []

    class Recorded(OptimizerSchedule):
        def schedule(self, improved):
            seen.append(improved)

    moves = Recorded(OneCycleConfig().optimizer_of(parameters()))
    for loss in (2.0, 3.0, 1.0, None):
        assert moves.after_epoch(loss) is False
    assert seen == [True, False, True, False]
    assert moves.best == 1.0


def test_min_delta_is_what_an_improvement_must_exceed():
    moves = OneCycleConfig(stop_after=1, min_delta=0.1).build(parameters(), 1)
    assert moves.after_epoch(1.0) is False
    assert moves.after_epoch(0.85) is False
    assert moves.after_epoch(0.80) is True
