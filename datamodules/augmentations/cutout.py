"""Cutout: removes one square of the image (DeVries, Taylor: Improved Regularization of Convolutional Neural Networks with
Cutout, 2017).
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Augmentation, AugmentationConfig
from datamodules.augmentations._base import Probability
from datamodules.augmentations._fill import Fill, fill


class CutoutConfig(AugmentationConfig):
    name: Literal["cutout"] = "cutout"
    side: Annotated[float, Field(gt=0, le=1)] = 0.3  # of the square, as a fraction of the image's shorter side
    fill: Fill = "gray"  # corresponds to the paper's zero of normalized pixels
    probability: Probability = 0.5

    def build(self) -> Augmentation:
        return self._cut

    def _cut(self, image: np.ndarray, seed: int) -> np.ndarray:
        """The square's center is any pixel of the image, so part of the square may lie outside (Section 3.1)."""
        random = np.random.default_rng(seed)
        if random.random() >= self.probability:
            return image
        height, width = image.shape[:2]
        side = max(1, round(self.side * min(height, width)))
        x0, y0 = (int(random.integers(length)) - side // 2 for length in (width, height))
        changed = image.copy()
        fill(changed, (x0, y0, x0 + side, y0 + side), self.fill, random)
        return changed
