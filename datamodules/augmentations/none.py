"""No augmentation."""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.data_interfaces import Augmentation, AugmentationConfig


class NoAugmentationConfig(AugmentationConfig):
    name: Literal["none"] = "none"

    def build(self) -> Augmentation:
        return unchanged


def unchanged(image: np.ndarray, seed: int) -> np.ndarray:
    """The image as it is."""
    return image
