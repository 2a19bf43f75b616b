"""A detector of the center of the image that does to its process what a test asks for."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from datamodules.detectors.none import Center, NoDetectorConfig


class Config(NoDetectorConfig):
    name: Literal["components.fragile"] = "components.fragile"  # type: ignore[assignment]
    trivial: ClassVar[bool] = False
    does: Literal["nothing", "kill", "kill_once", "raise", "wait"] = "nothing"
    folder: str = ""  # a file for each call

    def detection(self) -> dict[str, Any]:
        return {"name": self.name}

    def build(self, device: str = "cpu") -> Fragile:
        return Fragile(self)


class Fragile(Center):
    def __init__(self, config: Config) -> None:
        super().__init__(config.fraction)
        self.config = config

    def detect(self, images: Sequence[np.ndarray]) -> list[Any]:
        """The centers, unless its process ends or waits for ever."""
        calls, does = Path(self.config.folder), self.config.does
        lightning = "pytorch_lightning" in sys.modules  # takes seconds to load, and no detection needs it
        (calls / f"{os.getpid()}-{time.monotonic_ns()}").write_text(f"Lightning loaded: {lightning}")
        if does == "kill" or (does == "kill_once" and _first(Path(f"{calls}.killed"))):
            os.kill(os.getpid(), signal.SIGKILL)
        if does == "raise":
            raise ValueError("no such face")
        while does == "wait":
            time.sleep(0.05)
        return super().detect(images)


def _first(marker: Path) -> bool:
    """Whether no other process has made the marker before, also if two try at once."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
