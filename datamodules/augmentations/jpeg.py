"""JPEG compression; one of two augmentations in Debreczeni et al.'s final training, quality not stated."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import ORDERED, Probability, Seeded, library

Quality = Annotated[int, Field(ge=1, le=100)]


class JPEGConfig(AugmentationConfig):
    name: Literal["jpeg"] = "jpeg"
    quality: Annotated[tuple[Quality, Quality], ORDERED] = (20, 80)  # minimum and maximum, both inclusive
    probability: Probability = 0.5

    def build(self) -> Jpeg:
        return Jpeg(self)


class Jpeg:
    """Encodes and decodes the image in memory; color has half the resolution, as is usual."""

    def __init__(self, config: JPEGConfig) -> None:
        self.bgr = Seeded(library().ImageCompression("jpeg", config.quality, p=config.probability))

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (height, width, 3) to the same shape; a pure function of image and seed."""
        # Swapped because albumentations passes RGB to OpenCV's encoder, which expects BGR and weights the channels accordingly.
        swapped = np.ascontiguousarray(image[..., ::-1])
        return np.ascontiguousarray(self.bgr(swapped, seed)[..., ::-1])
