"""Chooses the number of loader processes of a training by measuring the loader and a training step at its start."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
import torch

from datamodules.loader_workers import batch_seconds, most_workers, workers_needed
from grid.spec.training import Compute
from grid.stages.context import Context
from grid.tracebacks import error_line
from modules.training.step_time import kept_random_states, step_time

LOGGER = "facegrid.loader"


class MeasuredLoader(pl.Callback):
    """Sets ``workers`` of the training's ``FaceDataModule`` before its loaders are made, and writes a line to the stage's log.

    The numbers of the training are those without it. If something cannot be measured, the number of processes stays as it is.

    Args:
        reserved: CPUs that are reserved for this training; None: not known
    """

    def __init__(self, reserved: float | None) -> None:
        self.reserved = reserved

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        try:
            data.workers, line = self._measured(pl_module, data)
        except Exception as error:  # if it is one of the training's own, the training raises it, too
            line = f"not measured ({error_line(error)}): {processes(data.workers)}"
        if pl_module.device.type == "cuda":
            torch.cuda.empty_cache()
        note(line)

    def _measured(self, recognizer: Any, data: Any) -> tuple[int, str]:
        with kept_random_states(recognizer.device):
            load, batch = batch_seconds(data.batches_here())
        there = [part.to(recognizer.device) for part in batch]
        step = step_time(recognizer, lambda: data.on_after_batch_transfer(there, 0)[0], batch[1])
        wanted, most = workers_needed(load, step.seconds, step.host), most_workers(self.reserved)
        found = min(wanted, most)
        words = f"{load * 1e3:.3g} ms a batch, step: {step.seconds * 1e3:.3g} ms, {step.host * 1e3:.3g} ms of them busy"
        limit = "" if found == wanted else f" ({wanted} would keep up, and there is room for {most})"
        return found, f"{words}: {processes(found)}{limit}"


def loader_callbacks(context: Context, compute: Compute, devices: int) -> list[MeasuredLoader]:
    """The callbacks that choose the number of loader processes; none where it is given or a rule does."""
    if not context.measures_loader or context.fast:
        return []
    if devices == 1 and not compute.compile:
        return [MeasuredLoader(context.cpus)]
    if context.helper is None:
        why = f"{devices} devices" if devices > 1 else "compute.compile"
        note(f"not measured with {why}: {processes(context.workers)}")
    return []


def note(line: str) -> None:
    """Writes a line to the log of the stage that runs in this process."""
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    logger.info("loader: %s", line)


def processes(count: int) -> str:
    """For example: ``2 processes``."""
    return f"{count} process{'' if count == 1 else 'es'}"
