"""Small identity-preserving changes: mirror, shift, scale, rotation, brightness, contrast."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import Probability, Seeded, library


class BasicConfig(AugmentationConfig):
    name: Literal["basic"] = "basic"
    flip: Probability = 0.5
    move: Probability = 0.5  # probability of shift, scale and rotation, which are applied together
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.05  # maximum, as a fraction of the side
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.08  # maximum: factor from 1 - scale to 1 + scale
    rotate: Annotated[float, Field(ge=0, le=180)] = 8.0  # maximum, in degrees
    light: Probability = 0.5  # probability of a change of brightness and contrast
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.15  # maximum, as a fraction of white
    contrast: Annotated[float, Field(ge=0, le=1)] = 0.15  # maximum: factor from 1 - contrast to 1 + contrast

    def build(self) -> Seeded:
        import cv2

        A = library()
        return Seeded(
            A.Compose(
                [
                    A.HorizontalFlip(p=self.flip),
                    A.Affine(
                        translate_percent=(-self.shift, self.shift),
                        scale=(1 - self.scale, 1 + self.scale),
                        rotate=(-self.rotate, self.rotate),
                        interpolation=cv2.INTER_LINEAR,
                        border_mode=cv2.BORDER_REFLECT_101,
                        p=self.move,
                    ),
                    A.RandomBrightnessContrast(
                        brightness_limit=self.brightness,
                        contrast_limit=self.contrast,
                        p=self.light,
                    ),
                ]
            )
        )
