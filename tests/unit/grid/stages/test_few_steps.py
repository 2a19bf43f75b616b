"""When a training has run for long enough to know its memory."""

from types import SimpleNamespace
from typing import Any

import pytest

from grid.stages import few_steps
from grid.stages.few_steps import Enough, FewSteps


def steps(*, batches: int, accumulate: int = 1) -> int:
    """The number of batches after which it ends."""
    called = list[int]()
    callback = FewSteps(lambda: called.append(1))
    for batch in range(batches):
        trainer: Any = SimpleNamespace(global_step=(batch + 1) // accumulate, num_training_batches=batches)
        try:
            callback.on_train_batch_end(trainer, None, None, None, batch)
        except Enough:
            assert called == [1]
            return batch + 1
    raise AssertionError("it does not end")


def test_three_steps_are_enough_or_one_epoch() -> None:
    assert [steps(batches=count) for count in (1, 2, 3, 50)] == [1, 2, 3, 3]
    assert steps(batches=50, accumulate=4) == 12


def test_two_steps_are_enough_if_they_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_steps, "SECONDS", 0.0)
    assert steps(batches=50) == 2
    assert steps(batches=1) == 1
