"""No augmentation. A process that imports this divides an evaluation of any size among the devices of its cell, and says so.

FACEGRID_TEST_SHARES is a folder: each evaluation leaves a file with the rank and the number of images that this process
embedded. Without it nothing changes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from configs.data_interfaces import AugmentationConfig
from grid.stages import shared_inference
from modules.training.ranks import Rank


class Config(AugmentationConfig):
    name: Literal["components.divided"] = "components.divided"

    def build(self) -> Divided:
        return Divided()


class Divided:
    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image itself."""
        return image


if folder := os.environ.get("FACEGRID_TEST_SHARES"):
    shared_inference.FEWEST["cpu"] = 1
    gathered = shared_inference._gathered

    def noted(part: dict[str, Tensor], parts: Sequence[range], rank: Rank) -> dict[str, Tensor]:
        Path(str(folder), uuid.uuid4().hex).write_text(f"{rank.number} {len(part['embedding'])}")
        return gathered(part, parts, rank)

    shared_inference._gathered = noted
