"""The head tilts: rotation around the middle of the image."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.interfaces import AugmentationConfig
from datamodules.augmentations._base import Probability, Seeded, library


class RotateConfig(AugmentationConfig):
    name: Literal["rotate"] = "rotate"
    degrees: Annotated[float, Field(gt=0, le=180)] = 15.0  # at most, to either side; drawn uniformly
    probability: Probability = 0.5

    def build(self) -> Seeded:
        """Interpolates linearly; beyond its edges the image is mirrored."""
        import cv2

        limits = (-self.degrees, self.degrees)
        return Seeded(library().Affine(rotate=limits, border_mode=cv2.BORDER_REFLECT_101, p=self.probability))
