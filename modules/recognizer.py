"""Training of one network: steps, validation, schedule, and everything that a resumed training must know."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from modules.nonfinite import finite
from modules.recipe import Moves, Recipe

STATE = "facegrid"  # key of our part in a checkpoint


class Recognizer(pl.LightningModule):
    """Trains a network (see ``modules.network``) by a recipe, so that a resumed training equals an undisturbed one.

    The learning rate moves together with the optimiser's step and at the end of an epoch, in both cases before a checkpoint
    can be taken. Random numbers of a step (dropout) are a function of (seed, epoch, batch, rank) alone.

    Args:
        network: has ``loss_of(images, labels) -> scalar`` and ``forward(images) -> (N, classes)``.
        recipe: its ``build`` gives the ``Moves``.
        seed: of the random numbers drawn while training.
        steps_per_epoch: batches that one epoch has on one device.

    Attributes:
        history: one row an epoch: ``epoch`` from 0, ``train_loss`` (mean over images), ``validation_loss`` (mean cross entropy
            over images), ``validation_accuracy``, ``lr`` of the epoch's last step, ``best`` (lowest validation loss so far).
            A function of the config and the data alone.
        timing: one row an epoch: ``epoch``, ``seconds`` spent, ``time`` at its end (Unix seconds), ``images_per_second`` of
            training and validation together.
    """

    def __init__(self, network: Any, recipe: Recipe, seed: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.layout)
        self.seed = seed
        self.moves: Moves = recipe.build(network.parameters(), steps_per_epoch)
        self.history: list[dict[str, Any]] = []
        self.timing: list[dict[str, Any]] = []
        self.epoch = 0  # the position that a checkpoint taken now resumes from
        self.batch = 0
        self._used_lr = self.moves.lr
        self._train = [0.0, 0.0]  # sum of losses over images, images
        self._validation = [0.0, 0.0, 0.0]  # sum of cross entropies, correct ones, images
        self._spent = 0.0  # seconds of this epoch before this process took it up
        self._began = time.monotonic()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.moves.optimizer

    def on_fit_start(self) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:  # the loader's sampler is made later, and leaves out what was trained on before
            data.start_batch(self.epoch, self.batch)
        self._began = time.monotonic()
        self.trainer.should_stop = self.moves.stopped

    def on_train_epoch_start(self) -> None:
        assert self.epoch == self.current_epoch, (self.epoch, self.current_epoch)
        self._began = time.monotonic()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        assert batch_idx == self.batch, (batch_idx, self.batch)
        torch.manual_seed(step_seed(self.seed, self.epoch, batch_idx, self.global_rank))  # of the CPU and of every GPU

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch[0].contiguous(memory_format=self.layout), batch[1]
        loss: Tensor = self.network.loss_of(images, labels)
        value = finite(float(loss.detach()), "training loss", self.epoch, self.global_step)
        self._train[0] += value * len(images)
        self._train[1] += len(images)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        # Here and not in on_train_batch_end, which callbacks (and so mid-epoch checkpoints) see before this module does.
        super().optimizer_step(*args, **kwargs)
        self._used_lr = self.moves.lr
        self.moves.after_step()
        self.batch += 1

    def on_validation_epoch_start(self) -> None:
        self._validation = [0.0, 0.0, 0.0]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch[0].contiguous(memory_format=self.layout), batch[1]
        logits = self.network(images).float()
        losses = F.cross_entropy(logits, labels, reduction="none").double()
        self._validation[0] += float(losses.sum())
        self._validation[1] += float((logits.argmax(1) == labels).sum())
        self._validation[2] += len(images)

    def on_train_epoch_end(self) -> None:
        train_loss, train_images = self._over_ranks(self._train)
        loss, correct, images = self._over_ranks(self._validation)
        known = images > 0
        validation_loss = finite(loss / images, "validation loss", self.epoch, self.global_step) if known else None
        stop = self.moves.after_epoch(validation_loss)
        before = [row["validation_loss"] for row in self.history if row["validation_loss"] is not None]
        self.history.append(
            {
                "epoch": self.epoch,
                "train_loss": train_loss / train_images,
                "validation_loss": validation_loss,
                "validation_accuracy": correct / images if known else None,
                "lr": self._used_lr,
                "best": validation_loss is None or not before or validation_loss < min(before),
            }
        )
        seconds = self._seconds()
        per_second = (train_images + images) / seconds if seconds > 0 else None
        self.timing.append({"epoch": self.epoch, "seconds": seconds, "time": time.time(), "images_per_second": per_second})
        self.epoch, self.batch = self.epoch + 1, 0
        self._train, self._validation, self._spent = [0.0, 0.0], [0.0, 0.0, 0.0], 0.0
        self._began = time.monotonic()
        if stop:
            self.trainer.should_stop = True

    @property
    def running_loss(self) -> float | None:
        """Mean training loss of this epoch so far, on this device."""
        return self._train[0] / self._train[1] if self._train[1] else None

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._began

    def _over_ranks(self, sums: list[float]) -> list[float]:
        if self.trainer.world_size == 1:
            return list(sums)
        mine = torch.tensor(sums, dtype=torch.float64, device=self.device)
        return [float(value) for value in self.trainer.strategy.reduce(mine, reduce_op="sum")]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.batch == 0:
            # Lightning counts an epoch as completed only after its last hook, where this is called. Resumed from that count,
            # current_epoch is one too low while the loader is made, and loading processes would begin with the wrong epoch.
            for count in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                count["completed"] = count["processed"]
        train = list(self._train)
        if self.batch and self.trainer.world_size > 1:  # every rank resumes from one file: rank 0 takes the sum
            train = self._over_ranks(self._train)
        checkpoint[STATE] = {
            "epoch": self.epoch,
            "batch": self.batch,
            "train": train,
            "spent": self._seconds() if self.batch else 0.0,
            "history": [dict(row) for row in self.history],
            "timing": [dict(row) for row in self.timing],
            "moves": self.moves.state_dict(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint[STATE]
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._train = list(state["train"]) if self.global_rank == 0 else [0.0, 0.0]
        self._spent = state["spent"]
        self.history, self.timing = list(state["history"]), list(state["timing"])
        self.moves.load_state_dict(state["moves"])


def step_seed(seed: int, epoch: int, batch: int, rank: int) -> int:
    """63 bits that depend on all four numbers and on nothing else."""
    text = f"{seed}/{epoch}/{batch}/{rank}".encode("ascii")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
