"""No augmentation, but FACEGRID_TEST_PAUSE says how many seconds an image takes: so a test can meet a training half done.

While the file FACEGRID_TEST_HOLD exists, no image is finished: so what a test has met stays as it is.
"""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Literal

import numpy as np

from configs.kinds import AugmentationConfig


class Config(AugmentationConfig):
    name: Literal["components.slow"] = "components.slow"

    def build(self) -> Slow:
        if folder := os.environ.get("FACEGRID_TEST_SEEN"):  # which GPU each training may use
            Path(folder, uuid.uuid4().hex).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))
        hold = os.environ.get("FACEGRID_TEST_HOLD")
        return Slow(float(os.environ.get("FACEGRID_TEST_PAUSE", "0")), Path(hold) if hold else None)


class Slow:
    def __init__(self, pause: float, hold: Path | None) -> None:
        self.pause, self.hold = pause, hold

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image itself."""
        time.sleep(self.pause)
        while self.hold is not None and self.hold.exists():
            time.sleep(0.02)
        return image
