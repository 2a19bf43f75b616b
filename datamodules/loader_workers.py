"""How many processes load images for a training, where ``launch.workers`` is "auto"."""

from __future__ import annotations

import os
from typing import Literal

MOST = 8  # so cached crops come faster than iresnet-50 trains on an H200; eight augmentation steps need more (docs/results.md)


def loader_workers(asked: int | Literal["auto"], accelerator: str) -> int:
    """``asked``, or for "auto": none on a CPU, which has no core to spare, and on a GPU all cores but one, up to ``MOST``.

    Args:
        accelerator: "gpu" or "cpu"
    """
    if asked != "auto":
        return asked
    return 0 if accelerator == "cpu" else min(MOST, len(os.sched_getaffinity(0)) - 1)
