"""How many processes load images for a training, where ``launch.workers`` is "auto"."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Iterable
from typing import Any, Literal

MOST = 8  # where nothing is measured: cached crops then come faster than iresnet-50 trains on an H200 (docs/results/gpu.md)
MOST_MEASURED = 16  # more were never tried
MARGIN = 1.25  # how much faster than the training the loader must be
SHARE = 0.5  # of what one process loads alone, each of several does: 14 loaded 9.2 times as much (docs/results/gpu.md)
BATCHES = 8  # timed at most,
SECONDS = 2.0  # and no further one after this time


def loader_workers(asked: int | Literal["auto"], accelerator: str, devices: int) -> int:
    """``asked``, or for "auto": none on a CPU, which has no core to spare, and on a GPU all cores but one, up to ``MOST``.

    Args:
        accelerator: "gpu" or "cpu"
        devices: of the training; it counts as if all were in this machine, and shared its cores
    """
    if asked != "auto":
        return asked
    return 0 if accelerator == "cpu" else min(MOST, max(0, len(os.sched_getaffinity(0)) // devices - 1))


def batch_seconds(batches: Iterable[Any]) -> tuple[float, Any]:
    """The median time that a batch takes, in seconds, and the first batch, which is not timed if there are others.

    Args:
        batches: each is prepared when it is asked for; not empty
    """
    source = iter(batches)
    began = time.perf_counter()
    first = next(source)
    took, times = time.perf_counter() - began, list[float]()
    while len(times) < BATCHES and sum(times) < SECONDS:
        began = time.perf_counter()
        if next(source, None) is None:
            break
        times.append(time.perf_counter() - began)
    return statistics.median_high(times or [took]), first


def workers_needed(load: float, step: float, host: float) -> int:
    """The fewest loader processes that keep up with a training; 0 if a thread of its own process does.

    That thread has the time in which the training only waits for the GPU: one interpreter runs one thread at a time.

    Args:
        load: seconds in which one process prepares a batch
        step: seconds of a training step
        host: seconds of a step in which the training's process is busy
    """
    if MARGIN * (load + host) <= step:
        return 0
    return max(1, math.ceil(MARGIN * load / (SHARE * step)))


def most_workers(reserved: float | None) -> int:
    """How many loader processes this machine has room for: one per core but one, and per reserved CPU if there are several.

    Args:
        reserved: CPUs of this training; None: not known
    """
    most = min(MOST_MEASURED, len(os.sched_getaffinity(0)) - 1)
    return most if reserved is None or reserved <= 1 else min(most, int(reserved))
