"""Losses are read one step later; sums and errors are those of an immediate reading."""

import pytest
import torch

from modules.training.late_losses import LateLosses
from modules.training.nonfinite import NonFiniteLoss


def test_the_sum_is_that_of_an_immediate_reading() -> None:
    torch.manual_seed(0)
    late, total, images = LateLosses(), 0.0, 0.0
    for step, value in enumerate(torch.rand(50)):
        late.add(value, 3 + step, 0, step)
        total += float(value) * (3 + step)
        images += 3 + step
    assert (late.read().total, late.images) == (total, images)
    assert late.read().total == total, "reading twice counts once"


def test_a_step_is_read_when_the_next_one_is_added() -> None:
    late = LateLosses(10.0, 2.0)
    late.add(torch.tensor(5.0), 4, 0, 0)
    assert (late.total, late.images) == (10.0, 2.0)
    late.add(torch.tensor(1.0), 4, 0, 1)
    assert (late.total, late.images) == (30.0, 6.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_reported_with_its_own_step(bad: float) -> None:
    late = LateLosses()
    late.add(torch.tensor(bad, dtype=torch.bfloat16), 4, 2, 17)
    with pytest.raises(NonFiniteLoss, match=r"training loss is (nan|inf) in epoch 2 after 17 steps"):
        late.add(torch.tensor(1.0), 4, 2, 18)
    assert late.read().images == 0
