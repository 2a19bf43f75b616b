"""Zoom in or out around the image's center, by the same factor in both directions, at constant image size."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from configs.data_interfaces import AugmentationConfig
from datamodules.augmentations._base import ORDERED, Probability, Seeded, library

Factor = Annotated[float, Field(ge=0.1, le=10)]


class ZoomConfig(AugmentationConfig):
    version: ClassVar[int] = 2  # 1 drew a factor for each direction
    name: Literal["zoom"] = "zoom"
    factor: Annotated[tuple[Factor, Factor], ORDERED] = (0.85, 1.2)  # below 1 zooms out, above 1 zooms in; drawn uniformly
    probability: Probability = 0.5

    @property
    def moves(self) -> bool:
        return self.probability > 0

    def build(self) -> Seeded:
        """Linear interpolation; the image is mirrored beyond its edges."""
        import cv2

        return Seeded(
            library().Affine(scale=self.factor, keep_ratio=True, border_mode=cv2.BORDER_REFLECT_101, p=self.probability)
        )
