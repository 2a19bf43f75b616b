"""No augmentation, but a test may set how long an image takes, and may meet a training half done and keep it so.

FACEGRID_TEST_PAUSE is the seconds that an image takes. While the file FACEGRID_TEST_HOLD exists, every training stops in its
second epoch, after the checkpoint of the first, but those of the processes whose ids are in the file.
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Literal

import numpy as np

from configs.data_interfaces import AugmentationConfig

PASSED = 40  # images before a training stops; an epoch of the tiny grid has 30


class Config(AugmentationConfig):
    name: Literal["components.slow"] = "components.slow"

    def build(self) -> Slow:
        if folder := os.environ.get("FACEGRID_TEST_SEEN"):  # which GPU each training may use
            Path(folder, uuid.uuid4().hex).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))
        hold = os.environ.get("FACEGRID_TEST_HOLD")
        return Slow(float(os.environ.get("FACEGRID_TEST_PAUSE", "0")), Path(hold) if hold else None)


class Slow:
    def __init__(self, pause: float, hold: Path | None) -> None:
        self.pause, self.hold, self.seen = pause, hold, 0

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image itself."""
        self.seen += 1
        time.sleep(self.pause)
        while self.seen > PASSED and self.held():
            time.sleep(0.02)
        return image

    def held(self) -> bool:
        try:
            return self.hold is not None and str(os.getpid()) not in self.hold.read_text().split()
        except FileNotFoundError:
            return False
