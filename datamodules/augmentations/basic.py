"""Small changes that leave the person the same: mirror, position, scale, rotation, brightness, contrast."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from configs.kinds import AugmentationConfig

Probability = Annotated[float, Field(ge=0, le=1)]


class Config(AugmentationConfig):
    name: Literal["basic"] = "basic"
    flip: Probability = 0.5
    move: Probability = 0.5  # probability of shift, scale and rotation, which come together
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.05  # at most, as a share of the side
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.08  # at most: from 1 - scale to 1 + scale
    rotate: Annotated[float, Field(ge=0, le=180)] = 8.0  # at most, in degrees
    light: Probability = 0.5  # probability of a change of brightness and contrast
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.15  # at most, as a share of white
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.15  # at most: factor from 1 - contrast to 1 + contrast

    def build(self) -> Basic:
        return Basic(self)


class Basic:
    """Albumentations with a fresh random state for every image."""

    def __init__(self, config: Config) -> None:
        os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else its import asks the network for a newer version
        import albumentations as A
        import cv2

        self.compose: Any = A.Compose(
            [
                A.HorizontalFlip(p=config.flip),
                A.Affine(
                    translate_percent=(-config.shift, config.shift),
                    scale=(1 - config.scale, 1 + config.scale),
                    rotate=(-config.rotate, config.rotate),
                    interpolation=cv2.INTER_LINEAR,
                    border_mode=cv2.BORDER_REFLECT_101,
                    p=config.move,
                ),
                A.RandomBrightnessContrast(
                    brightness_limit=config.brightness,
                    contrast_limit=config.contrast,
                    p=config.light,
                ),
            ]
        )

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        """uint8 (size, size, 3) to the same; a pure function of image and seed."""
        self.compose.set_random_seed(seed)
        changed: np.ndarray = self.compose(image=image)["image"]
        return changed
