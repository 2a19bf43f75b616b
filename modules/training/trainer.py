"""Runs one training in this process: builds a quiet Trainer, resumes, and restores global settings afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from configs.float32_precision import tf32_allowed
from modules.training.determinism import kept_algorithms, unfilled


def fit(
    recognizer: Any,
    data: Any,
    *,
    accelerator: str = "cpu",
    rank: Any = None,
    precision: Any = "32-true",
    threads: int | None = None,
    deterministic: Any = True,
    tf32: bool = False,
    checkpoint: Path | None = None,
    callbacks: Sequence[Any] = (),
    limit_batches: int | None = None,
    until: int | None = None,
) -> None:
    """Trains ``recognizer`` on ``data`` until its recipe ends.

    Args:
        recognizer: a ``modules.training.recognizer.Recognizer``.
        data: a LightningDataModule whose loaders handle sharding, with ``start_batch(epoch, batch)``, called before the loaders
            are created: that epoch then skips its first batches, with its length unchanged.
        accelerator: "cpu" or "gpu"; like ``precision`` an argument of Lightning's Trainer.
        rank: this process's ``modules.training.ranks.Rank`` in the process group, if it is one of several that train together;
            None: alone.
        threads: CPU threads; None: leave unchanged.
        deterministic: True: operations without a deterministic implementation raise. "warn" and False as in Lightning.
        tf32: whether GPUs may round factors of float32 products and convolutions to 10 bits of mantissa.
        checkpoint: file written by ``Checkpointing`` to resume from. Loaded without unpickling code.
        callbacks: such as ``Checkpointing``.
        until: epochs after which it ends, if that is before its recipe ends. The schedule is that of the whole recipe.
        limit_batches: maximum training and validation batches per epoch, for a quick test.

    Raises:
        NonFiniteLoss: a loss is NaN or infinite.
        Stopped: a stop was requested from ``Checkpointing``.
    """
    import pytorch_lightning as pl
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from pytorch_lightning.callbacks import Checkpoint
    from pytorch_lightning.plugins.precision import MixedPrecision

    strategy: Any = "auto"
    if rank is not None:
        from modules.training.rank_strategy import Ranks

        strategy = Ranks(rank)
    plugins: list[Any] = [] if rank is not None else [LightningEnvironment()]  # cluster variables do not make it a job step
    parts = recognizer.recipe.accumulate
    whole_steps = recognizer.steps_per_epoch * parts if parts > 1 else None  # batches of an epoch; None: all
    if precision == "16-mixed" and accelerator == "cpu":
        plugins.append(MixedPrecision(precision, "cpu"))  # by itself, Lightning would compute in bfloat16
        precision = None
    with (
        _quiet(),
        _kept_settings(threads, accelerator),
        tf32_allowed(tf32),
        tempfile.TemporaryDirectory(prefix="facegrid-fit-", ignore_cleanup_errors=True) as folder,
    ):
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            num_nodes=1 if rank is None else rank.world,
            strategy=strategy,
            plugins=plugins,
            precision=precision,
            deterministic=deterministic,
            benchmark=False,
            max_epochs=recognizer.recipe.epochs if until is None else min(until, recognizer.recipe.epochs),
            gradient_clip_val=recognizer.recipe.clip,
            gradient_clip_algorithm="norm" if recognizer.recipe.clip is not None else None,
            accumulate_grad_batches=parts,
            callbacks=list(callbacks),
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            limit_train_batches=limit_batches or whole_steps,
            limit_val_batches=limit_batches,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # our sampler handles ranks, epochs and resumed batches
            default_root_dir=folder,
        )
        if rank is not None:
            _leave_signals_to_checkpointing(trainer)
        trainer.fit(recognizer, datamodule=data, ckpt_path=checkpoint, weights_only=True if checkpoint is not None else None)


def _leave_signals_to_checkpointing(trainer: Any) -> None:
    """On several ranks, lets SIGTERM do no more than set ``received_sigterm``.

    In Lightning, ranks ask for it in every step, for which the host waits for the device, and the handler sends an answer at
    once, which another rank may receive as something else.
    """

    def note(*_: Any) -> None:
        trainer._signal_connector.received_sigterm = True

    trainer._signal_connector._sigterm_notifier_fn = note
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None


def network_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The network's weights in a checkpoint of a ``Recognizer``, on the CPU, for ``network.load_state_dict``.

    The moving average if the recipe uses one.
    """
    found = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    average = "average.module."
    prefix = average if any(key.startswith(average) for key in found) else "network."
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses Lightning's tips, info messages and warnings; errors are still shown."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    # Child loggers have their own levels, so setting the parent's level is not enough.
    loggers += [logging.getLogger(f"{name}.utilities.rank_zero") for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _kept_settings(threads: int | None, accelerator: str) -> Iterator[None]:
    """Restores the process's thread count, determinism settings and RNG state on exit."""
    before = torch.get_num_threads()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    cublas = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        used = [torch.cuda.current_device()] if accelerator == "gpu" else []  # the others get no context
        with torch.random.fork_rng(devices=used), unfilled(), kept_algorithms():
            yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
        if cublas is None:
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
