"""Resizing to a number of pixels with the aspect ratio kept, as in Table 4 (right) of FaceNet (Schroff et al., CVPR 2015)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field

from configs.transforms import Transform, TransformConfig


class ResizePixelsConfig(TransformConfig):
    """``pixels`` is height times width of the result, up to rounding of the sides: 6400 makes 80 x 80 of a square image."""

    name: Literal["resize_pixels"] = "resize_pixels"
    pixels: int = Field(ge=1)

    def build(self) -> Transform:
        return self._resized

    def shape(self, height: int, width: int) -> tuple[int, int]:
        factor = math.sqrt(self.pixels / (height * width))
        return max(1, round(height * factor)), max(1, round(width * factor))

    def _resized(self, image: np.ndarray) -> np.ndarray:
        """Averages areas when shrinking, interpolates by cubic splines when enlarging."""
        import cv2

        height, width = self.shape(*image.shape[:2])
        method = cv2.INTER_AREA if height * width < image.shape[0] * image.shape[1] else cv2.INTER_CUBIC
        return cv2.resize(image, (width, height), interpolation=method)
