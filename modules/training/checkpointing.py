"""Saves the training state after every epoch, every few minutes, and when a stop is requested."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint

from modules.training.agreement import Agreement
from modules.training.stopped import Stopped

Write = Callable[[Path], None]
Save = Callable[[int, int | None, Write, dict[str, Any] | None], None]
Report = Callable[[int, int, int, dict[str, Any]], None]


class Checkpointing(Checkpoint):
    """Calls ``save`` at points from which training can resume; the caller decides where the files go.

    Args:
        save: ``save(epoch, batch, write, row)``. It must call ``write(path)`` exactly once, which writes the checkpoint to
            ``path``. At the end of an epoch ``batch`` is None and ``row`` is that epoch's row of ``history`` and ``timing``
            combined; within an epoch ``batch`` is the number of batches done, and ``row`` is None. Called on rank 0 only.
        minutes: interval between saves within an epoch; None: no saves within an epoch.
        stop_requested: checked after every step and epoch. Once it returns true (or on SIGTERM) the state is saved and
            ``Stopped`` is raised. On several ranks it ends all, one step later. The last step of an epoch is saved with the
            epoch, after its validation. If the epoch ends the training, nothing is raised.
        leaving: called on rank 0 after each save that is not the last one. Once it returns true, ``Stopped`` is raised.
        progress: ``progress(epoch, step, steps, metrics)``, where ``step`` of ``steps`` batches of the epoch are done.
        progress_seconds: minimum time between two calls of ``progress``.
    """

    def __init__(
        self,
        save: Save,
        *,
        minutes: float | None = None,
        stop_requested: Callable[[], bool] | None = None,
        leaving: Callable[[], bool] | None = None,
        progress: Report | None = None,
        progress_seconds: float = 1.0,
    ) -> None:
        self._save = save
        self._seconds = None if minutes is None else minutes * 60
        self._stop_requested = stop_requested
        self._leaving = leaving
        self._progress = progress
        self._progress_seconds = progress_seconds
        self._saved_at = time.monotonic()
        self._reported_at = float("-inf")
        self._ends = False  # whether this process was asked to stop
        self._agreement: Agreement | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        steps = int(trainer.num_training_batches)
        self._report(trainer, pl_module, steps)
        if pl_module.batch >= steps:
            return  # the save at the epoch's end follows; resuming from here would skip the validation
        if pl_module.batch != batch_idx + 1:
            return  # cannot resume between two optimizer steps
        stop, due = self._decided(trainer)
        if stop or due:
            self._write(trainer, pl_module.epoch, pl_module.batch, None)
        if stop or (due and self._agreed(trainer, self._leaves(trainer))):
            raise Stopped(f"stopped in epoch {pl_module.epoch} after {pl_module.batch} of {steps} batches; the state is saved")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        row = {**pl_module.history[-1], **pl_module.timing[-1]}
        self._write(trainer, row["epoch"], None, row)
        ends = trainer.should_stop or pl_module.epoch >= (trainer.max_epochs or 0)
        leaves = not ends and self._leaves(trainer)
        if self._agreed(trainer, self._asked(trainer) or leaves) and not ends:
            raise Stopped(f"stopped after epoch {row['epoch']}; the state is saved")

    def _report(self, trainer: pl.Trainer, pl_module: Any, steps: int) -> None:
        now = time.monotonic()
        if self._progress is not None and trainer.is_global_zero and now - self._reported_at >= self._progress_seconds:
            self._reported_at = now
            metrics = {"train_loss": pl_module.running_loss, "lr": pl_module.moves.lr}
            self._progress(pl_module.epoch, pl_module.batch, steps, metrics)

    def _decided(self, trainer: pl.Trainer) -> tuple[bool, bool]:
        """Whether to stop and whether a save is due, without waiting for the device: on several ranks as of the step before."""
        due = self._seconds is not None and time.monotonic() - self._saved_at >= self._seconds
        mine = self._asked(trainer), due
        if trainer.world_size == 1:
            return mine
        if self._agreement is None:
            self._agreement = Agreement(trainer.strategy.root_device)
        stop, due = self._agreement.heard() or (False, False)
        if not stop and not due:
            self._agreement.ask(mine)
        return stop, due

    def _asked(self, trainer: pl.Trainer) -> bool:
        """Whether this process was asked to stop."""
        self._ends |= self._stop_requested is not None and self._stop_requested()
        self._ends |= trainer.received_sigterm
        if trainer.world_size > 1:
            trainer._signal_connector.received_sigterm = False  # for which Lightning would end this rank alone
        return self._ends

    def _leaves(self, trainer: pl.Trainer) -> bool:
        return trainer.is_global_zero and self._leaving is not None and self._leaving()

    def _agreed(self, trainer: pl.Trainer, mine: bool) -> bool:
        """True if any rank agrees: all ranks must take part in saving."""
        return mine if trainer.world_size == 1 else bool(trainer.strategy.reduce_boolean_decision(mine, all=False))

    def _write(self, trainer: pl.Trainer, epoch: int, batch: int | None, row: dict[str, Any] | None) -> None:
        rank: Any = getattr(trainer.strategy, "rank", None)  # of several
        step = f"saved/{epoch}/{batch}"
        if trainer.is_global_zero:
            written: list[Path] = []

            def write(path: Path) -> None:
                trainer.save_checkpoint(path)
                written.append(path)

            try:
                self._save(epoch, batch, write, row)
            finally:
                if rank is not None:
                    rank.announce(step)
            assert len(written) == 1, f"save must write exactly once, wrote {written}"
        else:
            trainer.save_checkpoint(Path("unused"))  # collective call; only rank 0 writes
            rank.wait_for(step)  # it may send the file to a slow store
        self._saved_at = time.monotonic()
        self._agreement = None  # what was asked before
