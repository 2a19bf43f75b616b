import pytest
import torch
from pydantic import ValidationError

from modules.recipes.plateau import PlateauConfig


def build(**fields):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    return PlateauConfig(**fields).build([weight], steps_per_epoch=3)


def test_the_defaults_are_the_study():
    config = PlateauConfig()
    fields = ("optimizer", "lr", "momentum", "weight_decay", "epochs", "stop_after", "patience", "factor", "select")
    assert [getattr(config, field) for field in fields] == ["nag", 0.01, 0.9, 0.0, 100, 10, 5, 0.1, "best"]


def test_the_rate_falls_at_the_end_of_the_fifth_stale_epoch():
    moves = build()
    rates = []
    for loss in [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]:
        moves.after_epoch(loss)
        rates.append(moves.lr)
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.01, 0.001, 0.001])


def test_torch_waits_one_epoch_longer():
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], 0.01)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=5)
    rates = []
    for loss in [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]:
        theirs.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.001])


def test_an_improvement_starts_the_count_anew():
    moves = build()
    for loss in [1.0, 2.0, 2.0, 2.0, 2.0, 0.9, 2.0, 2.0, 2.0, 2.0]:
        moves.after_epoch(loss)
    assert moves.lr == 0.01
    moves.after_epoch(2.0)
    assert moves.lr == pytest.approx(0.001)


def test_an_equal_loss_is_no_improvement():
    moves = build(patience=1)
    moves.after_epoch(1.0)
    moves.after_epoch(1.0)
    assert moves.lr == pytest.approx(0.001)


def test_the_other_reading_takes_a_tenth_off():
    moves = build(factor=0.9, patience=1)
    moves.after_epoch(1.0)
    moves.after_epoch(1.0)
    assert moves.lr == pytest.approx(0.009)


def test_training_stops_at_the_tenth_stale_epoch_and_the_rate_fell_twice():
    moves = build()
    answers = [moves.after_epoch(loss) for loss in [1.0] + [2.0] * 10]
    assert answers == [False] * 10 + [True]
    assert moves.stopped
    assert moves.lr == pytest.approx(1e-4)


def test_the_state_carries_the_count_over():
    one, other = build(), build()
    for loss in [1.0, 2.0, 2.0, 2.0]:
        one.after_epoch(loss)
    other.load_state_dict(one.state_dict())
    for loss in [2.0, 2.0]:
        one.after_epoch(loss)
        other.after_epoch(loss)
    assert other.lr == one.lr == pytest.approx(0.001)
    assert other.state_dict() == one.state_dict()


def test_without_validation_it_refuses():
    with pytest.raises(ValueError, match="no image was held out"):
        build().after_epoch(None)


def test_a_factor_that_does_not_reduce_is_refused():
    with pytest.raises(ValidationError):
        PlateauConfig(factor=1.0)


def test_the_literal_reading_takes_a_tenth_of_the_initial_rate_off_each_time_and_ends_at_zero():
    moves = build(reduction="subtract", patience=1, stop_after=None)
    rates = []
    for _ in range(13):
        moves.after_epoch(1.0)
        rates.append(moves.lr)
    assert rates == pytest.approx([0.01, 0.009, 0.008, 0.007, 0.006, 0.005, 0.004, 0.003, 0.002, 0.001, 0, 0, 0])


def test_the_way_of_reducing_leaves_the_identity_of_earlier_trainings_as_it_was():
    assert "reduction" not in PlateauConfig().identity()
    assert PlateauConfig(reduction="subtract").identity()["reduction"] == "subtract"
