"""No augmentation, but FACEGRID_TEST_PAUSE says how many seconds an image takes: so a test can meet a training half done."""

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
        return Slow(float(os.environ.get("FACEGRID_TEST_PAUSE", "0")))


class Slow:
    def __init__(self, pause: float) -> None:
        self.pause = pause

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image itself."""
        time.sleep(self.pause)
        return image
