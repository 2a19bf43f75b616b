"""Rotation around the image's center."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import Probability, Seeded, library


class RotateConfig(AugmentationConfig):
    name: Literal["rotate"] = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)] = 15.0  # maximum in either direction; drawn uniformly
    probability: Probability = 0.5

    @property
    def moves(self) -> bool:
        return self.probability > 0

    def build(self) -> Seeded:
        """Linear interpolation; the image is mirrored beyond its edges."""
        import cv2

        limits = (-self.degrees, self.degrees)
        return Seeded(library().Affine(rotate=limits, border_mode=cv2.BORDER_REFLECT_101, p=self.probability))
