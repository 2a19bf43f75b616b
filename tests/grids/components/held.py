"""MTCNN that finds no faces while the file FACEGRID_TEST_HOLD exists: a test meets detections half done, and keeps them so."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from datamodules.detectors.mtcnn import Mtcnn as Detector
from datamodules.detectors.mtcnn import MTCNNConfig as Mtcnn


class Config(Mtcnn):
    name: Literal["components.held"] = "components.held"  # type: ignore[assignment]

    def build(self, device: str = "cpu") -> Held:
        return Held(self, device)


class Held(Detector):
    def detect(self, images: Sequence[np.ndarray]) -> list[Any]:
        """What MTCNN finds."""
        while os.path.exists(os.environ.get("FACEGRID_TEST_HOLD", "")):
            time.sleep(0.05)
        return super().detect(images)
