"""How long a training step takes on this device, measured on a copy of the network, so that the training is not affected."""

from __future__ import annotations

import contextlib
import copy
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from configs.network_interfaces import ExpectingLoss

STEPS = 4  # that are timed together, after two others


@dataclass(frozen=True)
class StepTime:
    """Seconds of one step: until the device has finished it, and of these ``host`` until this process is free again."""

    seconds: float
    host: float


def step_time(recognizer: Any, images: Callable[[], Tensor], labels: Tensor) -> StepTime:
    """Times forward and backward passes of one batch, with what the device does to images before, without the optimizer's part.

    They are passes of a copy of the network, and random states are put back. So weights, statistics of normalizations,
    gradients, memories of losses and all that is random later are as if this had not been called. The copy, its gradient and
    the activations take no more memory than a training whose optimizer keeps a number for each weight.

    Args:
        recognizer: a ``modules.training.recognizer.Recognizer`` in a Trainer's fit, on its device; one process, not compiled
        images: makes the images of each step, float32 (B, 3, H, W), from what is on the device
        labels: (B, ...), on the host
    """
    device = recognizer.device
    there = labels.to(device)
    with kept_random_states(device), torch.enable_grad():
        network = copy.deepcopy(recognizer.network)
        loss = getattr(network, "loss", None)

        def step() -> None:
            network.zero_grad(set_to_none=True)
            pixels = images().contiguous(memory_format=recognizer.layout)
            if isinstance(loss, ExpectingLoss) and not recognizer.recipe.decodes_only:
                loss.expect(labels)
            with recognizer.trainer.precision_plugin.train_step_context():
                value = recognizer.loss_of(network, pixels, there)
            value.backward()  # type: ignore[no-untyped-call]

        step()  # the first one also starts libraries and takes memory
        _finish(device)
        began = time.perf_counter()
        step()
        host = time.perf_counter() - began
        _finish(device)
        began = time.perf_counter()
        for _ in range(STEPS):
            step()
        _finish(device)
        seconds = (time.perf_counter() - began) / STEPS
    return StepTime(seconds, min(host, seconds))


@contextlib.contextmanager
def kept_random_states(device: torch.device) -> Iterator[None]:
    """Context manager: afterwards the random states of Python, NumPy and torch (the CPU's and that device's) are as before."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - third-party code may draw from it
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
