"""No augmentation."""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.data_interfaces import AugmentationConfig


class NoAugmentationConfig(AugmentationConfig):
    name: Literal["none"] = "none"

    def build(self) -> Unchanged:
        return Unchanged()


class Unchanged:
    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The image unchanged."""
        return image
