"""Ends a training after a few steps, when enough of it has run to know the memory that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

STEPS = 3  # of the optimizer: after the first one its state is there, in the others the allocator settles
SECONDS = 60.0  # after which two steps are enough


class Enough(Exception):
    """The training has run for so long that its memory is known. No error: it ends what measures it."""


class FewSteps(pl.Callback):
    """Raises ``Enough`` after ``STEPS`` steps of the optimizer, or with the last batch of the first epoch.

    Args:
        ended: called before, while the loader's processes live
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self.ended = ended
        self._began = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        slow = trainer.global_step >= 2 and time.monotonic() - self._began >= SECONDS
        if trainer.global_step >= STEPS or slow or batch_idx + 1 >= trainer.num_training_batches:
            self.ended()
            raise Enough
