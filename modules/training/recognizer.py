"""Trains one network: steps, validation, schedule, and the state needed to resume."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from configs.network_interfaces import ExpectingLoss
from modules.attribution.hooks import evaluating
from modules.layers.gathering import batch_of, gathered_batches, mean_of_batch
from modules.layers.margin_softmax import keep_unsampled
from modules.layers.normalize import without_float16
from modules.targets import TargetLosses
from modules.training.class_slices import ClassSlices
from modules.training.freezing import freeze, freeze_recognition
from modules.training.late_losses import LateLosses
from modules.training.moving_average import MovingAverage
from modules.training.multi_optimizer import Together
from modules.training.nonfinite import finite
from modules.training.open_set import verified
from modules.training.recipe import OptimizerSchedule, Recipe
from modules.training.target_validation import TargetValidation, loss_together

STATE = "facegrid"  # key of our part in a checkpoint
CLASSIFIED = 1024  # images that are classified at once where ranks share the classes


class Recognizer(pl.LightningModule):
    """Trains a network (see ``modules.network``) with a recipe; a resumed training equals an uninterrupted one.

    The learning rate is updated together with the optimizer step and at the end of an epoch, in both cases before a checkpoint
    can be saved. Random numbers of a step (dropout) depend only on (seed, epoch, batch, rank). A step that a gradient scaler
    skips moves neither the schedule nor the average. A loss that is not finite ends the training one step later at most, and
    before anything is saved. Validation and the training of a decoder alone never compute in float16.

    On several devices, each rank has its part of every batch, and all compute the loss of the whole batch. Statistics of
    normalizations are those of rank 0's part, so they are those that are validated and saved.

    Args:
        network: has ``loss_of(images, labels) -> scalar``, on several devices also with a ``seed`` and labels of all ranks, and
            ``forward(images) -> (N, classes)``; if its ``classifies`` is false, ``embed(images)`` and
            ``loss(embeddings, labels)`` instead of ``forward``; if its ``loss`` has several targets, also
            ``measure(images, labels)``.
        recipe: its ``build`` returns the ``OptimizerSchedule``.
        seed: of the random numbers used in training.
        steps_per_epoch: optimizer steps per epoch; with ``recipe.accumulate`` each step takes that many batches of the loader.
        decoder: builds the optimizer of ``network.decoder`` from its parameters; None: the network has no decoder, or only the
            decoder is trained (``recipe.trainable: decoder``), with the recipe's optimizer.
        open_set: the validation subjects are not in the training set, so they have no class. Validation is then verification,
            see ``modules.training.open_set``: ``validation_loss`` is 1 - AUC, and ``validation_accuracy`` 1 - EER.

    Attributes:
        history: one row per epoch: ``epoch`` from 0, ``train_loss`` (mean over images), ``validation_loss`` (mean cross entropy
            over images; without a classifier the loss of all validation images as one batch, see ``loss_together``; if only a
            decoder is trained, the mean squared error), ``validation_accuracy`` (None without a classifier), ``lr`` of the
            epoch's last step, ``best`` (lowest validation loss so far); more for several targets, see
            ``TargetValidation.result``. Depends only on the config and the data.
        timing: one row per epoch: ``epoch``, ``seconds`` spent, ``time`` at its end (Unix seconds), ``images_per_second`` of
            training and validation together.
        skipped_steps: optimizer steps so far that a gradient scaler (``16-mixed``) skipped.
    """

    def __init__(
        self,
        network: Any,
        recipe: Recipe,
        seed: int,
        steps_per_epoch: int,
        decoder: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
        open_set: bool = False,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.layout)
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.open_set = open_set
        if recipe.decodes_only:
            assert network.decoder is not None, "there is no decoder to train"
            self.frozen = freeze_recognition(network)
        else:
            self.frozen = freeze(network.backbone, recipe.trainable) if recipe.trainable != "all" else []
        self.average = None if recipe.ema is None else MovingAverage(network, recipe.ema)
        decoding = {id(parameter) for parameter in network.decoder.parameters()} if decoder else set()
        recognizing = [parameter for parameter in network.parameters() if id(parameter) not in decoding]
        self.moves: OptimizerSchedule = recipe.build(recognizing, steps_per_epoch)
        self.optimizer = self.moves.optimizer
        self._slices = ClassSlices(self, self.optimizer)
        keep_unsampled(network, self.optimizer)
        if decoder:
            self.optimizer = Together([self.moves.optimizer, decoder(network.decoder.parameters())])
        self.history: list[dict[str, Any]] = []
        self.timing: list[dict[str, Any]] = []
        self.epoch = 0  # position at which a checkpoint saved now would resume
        self.batch = 0
        self._used_lr = self.moves.lr
        self._train = LateLosses()
        self._validation = torch.zeros(3, dtype=torch.float64)  # sum of losses over images, correct predictions, images
        self._stepped = False  # whether the optimizer made its last step
        self.skipped_steps = 0
        self.optimizer.register_step_post_hook(self._note_step)
        self._embedded: list[tuple[Tensor, Tensor]] = []  # embeddings and labels, without a classifier
        losses = getattr(network, "loss", None)
        self._targets = TargetValidation(losses.config) if isinstance(losses, TargetLosses) else None
        self._spent = 0.0  # seconds spent on this epoch before this process resumed it
        self._began = time.monotonic()
        self._clock = time.time() - time.monotonic()  # epoch end times increase even if the system clock changes
        self.train()  # Lightning keeps the mode it finds for each layer, including frozen ones

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer

    def train(self, mode: bool = True) -> Recognizer:
        """Sets the mode as usual, but frozen layers stay in evaluation mode, so that their statistics do not change."""
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        return self

    @property
    def evaluated(self) -> Any:
        """The network that is validated and kept: the moving average if there is one."""
        return self.network if self.average is None else self.average.module

    def on_fit_start(self) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if data is not None:  # the sampler is created later and skips the batches already done
            data.start_batch(self.epoch, self.batch)
        self._began = time.monotonic()
        self.trainer.should_stop = self.moves.stopped

    def on_train_epoch_start(self) -> None:
        assert self.epoch == self.current_epoch, (self.epoch, self.current_epoch)
        self._began = time.monotonic()

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        loss = getattr(self.network, "loss", None)
        if self.trainer.training and self.trainer.world_size > 1:
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            batch = batch[0], data.labels_of_all(batch[2]), *batch[2:]
        if self.recipe.decodes_only:
            return batch
        if self.trainer.validating and isinstance(loss, TargetLosses):
            self.evaluated.loss.expect_rows(batch[1])
        elif self.trainer.training and isinstance(loss, ExpectingLoss):
            loss.expect(batch[1])
        return batch

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        assert batch_idx - batch_idx % self.recipe.accumulate == self.batch, (batch_idx, self.batch)
        self._seed(step_seed(self.seed, self.epoch, batch_idx, self.global_rank))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch[0].contiguous(memory_format=self.layout), batch[1]
        seed = None if self.trainer.world_size == 1 else step_seed(self.seed, self.epoch, batch_idx, 0)
        loss = self.loss_of(self.network, images, labels, seed)
        self._train.add(loss, len(images), self.epoch, self.global_step)
        return loss

    def loss_of(self, network: Any, images: Tensor, labels: Tensor, seed: int | None = None) -> Tensor:
        """The scalar to minimize, of ``network``: the one that is trained, or a copy of it; ``seed``: on several devices."""
        with batch_of(len(labels)):
            if self.recipe.decodes_only:
                return mean_of_batch(network.decoding_loss(images), len(images))
            loss: Tensor = network.loss_of(images, labels) if seed is None else network.loss_of(images, labels, seed)
        return loss

    def _seed(self, seed: int) -> None:
        """Seeds torch's generators of the CPU and of this device; ``torch.manual_seed`` would seed those of every GPU."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _note_step(self, *_: Any) -> None:
        self._stepped = True

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        # Not in on_train_batch_end: callbacks, and so mid-epoch checkpoints, run before this module's hook.
        self._stepped = False
        super().optimizer_step(*args, **kwargs)
        self._used_lr = self.moves.lr
        if self._stepped:  # otherwise the gradient scaler found a gradient that is not finite, and skipped the step
            self.moves.after_step()
            if self.average is not None:
                self.average.update_parameters(self.network)
        else:
            self.skipped_steps += 1
        self.batch += self.recipe.accumulate

    def check_steps(self) -> None:
        """Raises ValueError if every step was skipped, so that the network has its initial weights; call it after training."""
        steps = self.global_step
        if steps and self.skipped_steps == steps:
            raise ValueError(
                f"compute.precision: 16-mixed skipped all {steps} optimizer steps, because gradients overflowed float16, so "
                "nothing was trained. The scale of the gradients starts at 65,536 and halves with each skipped step; use "
                "bf16-mixed or 32-true, or train for more steps (recipe.epochs, a smaller recipe.batch_size)"
            )

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        if self._slices and gradient_clip_val:
            self._slices.clip(optimizer, float(gradient_clip_val))
        else:
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.world_size > 1 and batch_idx + 1 == self.trainer.num_training_batches:  # validation follows
            for buffer in self.buffers():
                torch.distributed.broadcast(buffer, 0)

    def on_validation_epoch_start(self) -> None:
        self._train.read()
        self._validation = torch.zeros(3, dtype=torch.float64, device=self.device)
        self._embedded = []
        if self._targets is not None:
            self._targets = TargetValidation(self._targets.config)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        images, labels = batch[0].contiguous(memory_format=self.layout), batch[1]
        with without_float16(images):
            self._validate(images, labels)

    def _validate(self, images: Tensor, labels: Tensor) -> None:
        """Adds a batch to the epoch's validation, without waiting for the device."""
        if self.recipe.decodes_only:
            loss = self.evaluated.decoding_loss(images).double() * len(images)
            self._validation += torch.stack([loss, torch.zeros_like(loss), torch.full_like(loss, len(images))])
            return
        if self._targets is not None:
            self._targets.add(self.evaluated.measure(images, labels), len(images))
            return
        if self._embeds:
            self._embedded.append((self.evaluated.embed(images).float(), labels))
            return
        logits = self.evaluated(images).float()
        loss = F.cross_entropy(logits, labels, reduction="none").double().sum()
        correct = (logits.argmax(1) == labels).sum().double()
        self._validation += torch.stack([loss, correct, torch.full_like(loss, len(images))])

    def on_train_epoch_end(self) -> None:
        train = self._train.read()
        train_loss, train_images = self._over_ranks([train.total, train.images])
        # Lightning has restored training mode, in which losses remember what they see
        with torch.no_grad(), evaluating(self.evaluated):
            validation_loss, accuracy, images, more = self._validated()
        if validation_loss is not None:
            finite(validation_loss, "validation loss", self.epoch, self.global_step)
        elif self.recipe.select == "best":
            raise ValueError(
                "recipe.select: best needs a validation loss, and the held-out images give none; hold out more, or use last"
            )
        stop = self.moves.after_epoch(validation_loss)
        before = [row["validation_loss"] for row in self.history if row["validation_loss"] is not None]
        self.history.append(
            {
                "epoch": self.epoch,
                "train_loss": train_loss / train_images,
                "validation_loss": validation_loss,
                "validation_accuracy": accuracy,
                "lr": self._used_lr,
                "best": validation_loss is None or not before or validation_loss < min(before),
                **more,
            }
        )
        seconds = self._seconds()
        per_second = (train_images + images) / seconds if seconds > 0 else None
        ended = self._clock + time.monotonic()
        self.timing.append({"epoch": self.epoch, "seconds": seconds, "time": ended, "images_per_second": per_second})
        self.epoch, self.batch = self.epoch + 1, 0
        self._train, self._validation, self._spent = LateLosses(), torch.zeros(3, dtype=torch.float64), 0.0
        self._began = time.monotonic()
        if stop:
            self.trainer.should_stop = True

    def _validated(self) -> tuple[float | None, float | None, float, dict[str, Any]]:
        """Loss, accuracy and number of images of this epoch's validation, and the history entries of each target."""
        if self._targets is None or self.recipe.decodes_only:
            return *self._validated_classes(), {}
        loss, accuracy, more = self._targets.result(self._over_ranks, self.evaluated.loss, self.device)
        return loss, accuracy, self._over_ranks([self._targets.images])[0], {**more, **self.evaluated.loss.log_variances()}

    def _validated_classes(self) -> tuple[float | None, float | None, float]:
        if not self.recipe.decodes_only and self._embeds and (together := self._all_embedded()) is not None:
            embeddings, labels = together
            if self._slices and not self.open_set:
                return self._classified(embeddings, labels)
            if self.open_set:
                return *(verified(embeddings, labels) or (None, None)), float(len(labels))
            return loss_together(self.evaluated.loss, embeddings, labels), None, float(len(labels))
        loss, correct, images = self._over_ranks(self._validation.tolist())
        if not images:
            return None, None, 0.0
        return loss / images, None if self.recipe.decodes_only else correct / images, images

    @property
    def _embeds(self) -> bool:
        """Whether validation needs all embeddings at once."""
        return self.open_set or bool(self._slices) or not getattr(self.network, "classifies", True)

    def _classified(self, embeddings: Tensor, labels: Tensor) -> tuple[float, float, float]:
        """As ``_validated_classes``, from classes that the ranks share."""
        loss, correct = 0.0, 0
        for images, truth in zip(embeddings.split(CLASSIFIED), labels.split(CLASSIFIED), strict=True):
            losses, predicted = self.evaluated.loss.classified(images, truth)
            loss += float(losses.double().sum())
            correct += int((predicted == truth).sum())
        return loss / len(labels), correct / len(labels), float(len(labels))

    def _all_embedded(self) -> tuple[Tensor, Tensor] | None:
        """The embeddings and labels of all validation images, on every rank; None if there are none."""
        if not self._over_ranks([float(len(self._embedded))])[0]:
            return None
        if not self._embedded:  # fewer images than ranks
            nothing = torch.empty(0, dtype=torch.int64, device=self.device)
            self._embedded = [(torch.empty(0, self.network.dimension, device=self.device), nothing)]
        return gathered_batches(self._embedded)

    @property
    def running_loss(self) -> float | None:
        """Mean training loss of this epoch so far, on this device."""
        train = self._train.read()
        return train.total / train.images if train.images else None

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._began

    def _over_ranks(self, sums: Sequence[float]) -> list[float]:
        if self.trainer.world_size == 1:
            return list(sums)
        mine = torch.tensor(sums, dtype=torch.float64, device=self.device)
        return [float(value) for value in self.trainer.strategy.reduce(mine, reduce_op="sum")]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.batch == 0:
            # This runs in the epoch's last hook, after which Lightning counts the epoch as completed. When resuming with that
            # count, current_epoch is one too low while the loader is built, and its workers would start with the wrong epoch.
            for count in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
                count["completed"] = count["processed"]
        if self._slices:
            self._slices.join(checkpoint["state_dict"], _moves(checkpoint))
        late = self._train.read()
        train = [late.total, late.images]
        if self.batch and self.trainer.world_size > 1:  # all ranks resume from one file: rank 0 gets the sum
            train = self._over_ranks(train)
        checkpoint[STATE] = {
            "epoch": self.epoch,
            "batch": self.batch,
            "train": train,
            "spent": self._seconds() if self.batch else 0.0,
            "history": [dict(row) for row in self.history],
            "timing": [dict(row) for row in self.timing],
            "moves": self.moves.state_dict(),
            "skipped_steps": self.skipped_steps,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._slices:
            self._slices.divide(checkpoint["state_dict"], _moves(checkpoint))
        state = checkpoint[STATE]
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._train = LateLosses(*state["train"]) if self.global_rank == 0 else LateLosses()
        self._spent = state["spent"]
        self.history, self.timing = list(state["history"]), list(state["timing"])
        self.moves.load_state_dict(state["moves"])
        self.skipped_steps = state["skipped_steps"]


def _moves(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The state of the recipe's optimizer in a checkpoint; of two optimizers it is the first."""
    (found,) = checkpoint["optimizer_states"]
    return dict(found["optimizers"][0]) if "optimizers" in found else found


def step_seed(seed: int, epoch: int, batch: int, rank: int) -> int:
    """A 63-bit seed that depends on exactly these four numbers."""
    text = f"{seed}/{epoch}/{batch}/{rank}".encode("ascii")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
