"""Loses what a JPEG file loses: one of the two augmentations of Debreczeni et al.'s final training, who state no quality."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from configs.interfaces import AugmentationConfig
from datamodules.augmentations._base import ORDERED, Probability, Seeded, library

Quality = Annotated[int, Field(ge=1, le=100)]


class JPEGConfig(AugmentationConfig):
    name: Literal["jpeg"] = "jpeg"
    quality: Annotated[tuple[Quality, Quality], ORDERED] = (20, 80)  # drawn from lowest to highest, both included
    probability: Probability = 0.5

    def build(self) -> Jpeg:
        return Jpeg(self)


class Jpeg:
    """Writes and reads the image in memory; colour has half the resolution, as is usual."""

    def __init__(self, config: JPEGConfig) -> None:
        self.bgr = Seeded(library().ImageCompression("jpeg", config.quality, p=config.probability))

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (height, width, 3) to the same; a pure function of image and seed."""
        # Albumentations hands RGB to OpenCV's encoder, which takes the first channel for blue and weighs it as blue.
        swapped = np.ascontiguousarray(image[..., ::-1])
        return np.ascontiguousarray(self.bgr(swapped, seed)[..., ::-1])
